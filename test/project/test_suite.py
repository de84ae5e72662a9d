"""What a run of the tests promises: where its logs are, how it ends, in which order it runs."""

import os
from pathlib import Path
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from warm_start import warm_start, warm_up

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with this suite's own settings and tools, and no tests yet."""
    (tmp_path / 'test').mkdir()
    (tmp_path / 'tools').mkdir()
    shutil.copy(_ROOT / 'pyproject.toml', tmp_path)
    shutil.copy(_ROOT / 'test/conftest.py', tmp_path / 'test')
    shutil.copy(_ROOT / 'tools/repeat_tests.py', tmp_path / 'tools')
    return tmp_path


def _write(checkout: Path, name: str, text: str) -> None:
    (checkout / 'test' / name).write_text(textwrap.dedent(text))


def _run(checkout: Path, *command: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of `python3 ...` in the checkout."""
    outer = {name: value for name, value in os.environ.items()
             if not name.startswith(('PYTEST_', 'REFDIFF_TEST_'))}
    done = subprocess.run(
        [sys.executable, *command], cwd=checkout, env={**outer, **environment}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=250)
    return done.returncode, done.stdout


_FAILING = """
    import os, signal
    from pathlib import Path
    import pytest

    @pytest.fixture(scope='module')
    def node():
        log = Path(os.environ['ROS_LOG_DIR'], 'refdiff_node.log')
        log.write_text('started')
        return log

    def test_passes(node):
        pass

    def test_fails(node):
        node.write_text('went wrong')
        Path(os.environ['ROS_LOG_DIR'], 'camera.log').write_text('no frame')
        assert False

    def test_a_number_that_is_no_process():
        for send in (os.kill, os.killpg):
            for number in (0, 1, -1):
                with pytest.raises(ValueError, match='expected the id of one process'):
                    send(number, signal.SIGINT)

    @pytest.mark.skip(reason='no browser')
    def test_page():
        pass

    @pytest.mark.slow
    def test_long():
        pass
"""


@pytest.mark.parametrize('workers', ['0', '2'])
def test_the_last_lines_name_what_failed_its_logs_and_what_was_skipped(checkout, workers):
    _write(checkout, 'test_nodes.py', _FAILING)
    status, output = _run(checkout, '-m', 'pytest', '-q', '-n', workers)
    assert status == 1, output
    last = output.splitlines()[-4:]
    assert last[0] == 'did not pass: test/test_nodes.py::test_fails'
    logs = [checkout / line.removeprefix('    log: ') for line in last[1:3]]
    assert [log.read_text() for log in logs] == ['no frame', 'went wrong']
    assert last[3] == '1 skipped (no browser); 1 marked slow left out (-m slow runs them)'
    # A test without logs leaves no folder.
    assert {path.name for path in logs[0].parents[1].iterdir()} == {'test_passes', 'test_fails'}


def test_a_good_run_ends_well_and_says_what_was_skipped(checkout):
    _write(checkout, 'test_good.py', 'def test_it():\n    pass\n')
    status, output = _run(checkout, '-m', 'pytest', '-q')
    assert status == 0 and output.splitlines()[-1] == 'nothing was skipped', output


def test_at_the_time_limit_the_test_fails_with_every_threads_stack(checkout):
    _write(checkout, 'test_hangs.py', """
        import threading
        import pytest

        @pytest.mark.timeout(1)
        def test_waits():
            never = threading.Event()
            def worker_waits(): never.wait()
            threading.Thread(target=worker_waits, name='the worker', daemon=True).start()
            never.wait()

        def test_next():
            pass
        """)
    status, output = _run(checkout, '-m', 'pytest', '-q')
    assert status == 1 and '1 failed, 1 passed' in output
    assert 'not done in 1 s, the time limit' in output
    assert '--- the worker' in output and 'def worker_waits(): never.wait()' in output
    assert '--- MainThread' in output


def test_what_hangs_outside_of_python_is_ended_too(checkout):
    conftest = checkout / 'test/conftest.py'
    text = conftest.read_text()
    assert '_GRACE_S = 30.0' in text
    conftest.write_text(text.replace('_GRACE_S = 30.0', '_GRACE_S = 1.0'))
    _write(checkout, 'test_hangs.py', """
        import ctypes
        import pytest

        @pytest.mark.timeout(1)
        def test_deadlock():
            mutex, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
            libc.pthread_mutex_lock(mutex)
            libc.pthread_mutex_lock(mutex)
        """)
    status, output = _run(checkout, '-m', 'pytest', '-q', '-n', '1')
    assert status == 1, output
    where = re.search(r'stacks of what hung: (.*)', output)
    assert where, output
    assert 'in test_deadlock' in (checkout / where[1]).read_text()


def test_files_run_in_another_order_for_each_seed_and_the_same_for_one(checkout):
    for name in 'abcdef':
        _write(checkout, f'test_{name}.py', 'def test_1():\n    pass\ndef test_2():\n    pass\n')

    def order(seed: str) -> list[str]:
        _, output = _run(checkout, '-m', 'pytest', '--collect-only', '-q', '--shuffle', seed)
        return re.findall(r'test/(test_\w\.py::test_\d)', output)
    first, again, other = order('1'), order('1'), order('2')
    assert first == again and sorted(first) == sorted(other) and first != other
    # The order within a file stays.
    assert [name[-1] for name in first] == ['1', '2'] * 6


def _repeat(checkout: Path, *arguments: str) -> tuple[int, str]:
    # In one process, which starts sooner than the workers.
    return _run(checkout, 'tools/repeat_tests.py', *arguments, '--', '-n', '0')


def test_repeating_names_each_test_that_did_not_pass_every_time(checkout):
    _write(checkout, 'test_sometimes.py', """
        from pathlib import Path

        def test_always():
            pass

        def test_sometimes():
            seen = Path(__file__).parents[1] / 'seen'
            seen.write_text(seen.read_text() + '+' if seen.exists() else '+')
            assert seen.read_text() != '++'
        """)
    status, output = _repeat(checkout, '2', '--busy', '1', '--seed', '7')
    assert status == 1, output
    assert '1 of 2 did not pass: test.test_sometimes::test_sometimes (run 2)' in output
    assert '1 of 2 runs were good' in output
    out = Path(re.search(r'outputs: (.*)', output)[1])
    kept = (out / 'run2' / 'output.txt').read_text()
    assert '--shuffle 8' in kept and 'did not pass: test/test_sometimes.py::test_sometimes' in kept
    assert (out / 'table.txt').read_text().strip() in output
    status, output = _repeat(checkout, '1')
    assert status == 0 and '1 of 1 runs were good' in output, output


def test_a_run_that_collects_nothing_or_hangs_is_not_good(checkout):
    _write(checkout, 'test_broken.py', 'import no_such_module_of_ours\n')
    status, output = _repeat(checkout, '1')
    assert status == 1 and '0 of 1 runs were good' in output
    _write(checkout, 'test_broken.py', 'import time\ndef test_it():\n    time.sleep(600)\n')
    status, output = _repeat(checkout, '1', '--limit', '3')
    assert status == 1 and 'run 1 ended with status -6 and names no test' in output
    out = Path(re.search(r'outputs: (.*)', output)[1])
    # Wherever it was after so short a time, each process has said where.
    assert 'most recent call first' in (out / 'run1' / 'output.txt').read_text()


def test_make_fails_where_the_tests_do():
    text = (_ROOT / 'Makefile').read_text()
    recipe = text[text.index('\ntest: setup\n'):].split('\n\n')[0].replace('\\\n', '')
    # Nothing comes after pytest whose status would be taken for its own.
    assert re.search(r'\$\(ENTER\) python3 -m pytest [^;|&\n]*$', recipe), recipe


def test_programs_start_warm_after_a_download_and_after_ray(monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    warm_up()
    monkeypatch.setenv('HF_HUB_DISABLE_TELEMETRY', '1')
    monkeypatch.setenv('PYTHONBREAKPOINT', 'ray.util.rpdb._driver_set_trace')
    monkeypatch.setenv('TOKENIZERS_PARALLELISM', 'false')  # as an engine sets it
    process = warm_start(['-m', 'this'], os.environ)
    assert process is not None
    assert 'explicit' in process.stdout.read() and process.wait(60) == 0
    # Libraries read this one when they are imported.
    monkeypatch.setenv('HF_ENDPOINT', 'http://127.0.0.1:9')
    assert warm_start(['-m', 'this'], os.environ) is None
