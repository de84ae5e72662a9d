# Puts the virtual environment and the built workspace on the path of the shell that sources it:
#   . tools/env.sh                      (bash or zsh; ROS_DISTRO=jazzy picks the Jazzy environment)
if [ -n "${BASH_SOURCE:-}" ]; then
  _refdiff_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
elif [ -n "${ZSH_VERSION:-}" ]; then
  _refdiff_root=$(cd "$(dirname "${(%):-%x}")/.." && pwd)
else
  _refdiff_root=$(pwd)
fi
case "${ROS_DISTRO:=kilted}" in
  kilted) _refdiff_suffix= ;;
  *) _refdiff_suffix="-$ROS_DISTRO" ;;
esac
export ROS_DISTRO
_refdiff_venv="$_refdiff_root/.venv$_refdiff_suffix"
_refdiff_install="$_refdiff_root/install$_refdiff_suffix/refdiff_ros"
if [ ! -x "$_refdiff_venv/bin/python" ] || [ ! -d "$_refdiff_install" ]; then
  echo "tools/env.sh: expected a finished set-up for ROS_DISTRO=$ROS_DISTRO in $_refdiff_root, found none: run 'make setup' there first" >&2
  unset _refdiff_root _refdiff_suffix _refdiff_venv _refdiff_install
  return 1
fi
_refdiff_site=$(echo "$_refdiff_install"/lib/python3*/site-packages)
export VIRTUAL_ENV="$_refdiff_venv"
# Each path is put in front once, however often this file is sourced.
_refdiff_prepend() {
  eval "_refdiff_old=\${$1:-}"
  case ":$_refdiff_old:" in
    *":$2:"*) ;;
    *) eval "export $1=\"\$2\${_refdiff_old:+:\$_refdiff_old}\"" ;;
  esac
}
_refdiff_prepend PATH "$_refdiff_venv/bin"
_refdiff_prepend PATH "$_refdiff_root/tools/bin"
_refdiff_prepend AMENT_PREFIX_PATH "$_refdiff_venv"
_refdiff_prepend AMENT_PREFIX_PATH "$_refdiff_install"
_refdiff_prepend PYTHONPATH "$_refdiff_site"
_refdiff_prepend LD_LIBRARY_PATH "$_refdiff_install/lib"
unset -f _refdiff_prepend
unset _refdiff_root _refdiff_suffix _refdiff_venv _refdiff_install _refdiff_site _refdiff_old
