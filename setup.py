"""For `pip install .` without ROS; colcon takes the package from package.xml (ament_cmake)."""

from setuptools import find_packages, setup

EXTRAS = {
    'datasets': ['pillow', 'pycocotools', 'scipy'],
    'models': [
        'diffusers', 'pillow', 'safetensors', 'segment-anything', 'torchvision', 'transformers'],
    'bags': ['opencv-python-headless', 'rosbags', 'rosbags-image'],
    'grasp': ['opencv-python-headless'],
    'parser': ['spacy'],
    'ray': ['ray[client]'],
    'ros': ['opencv-python-headless', 'rosbags-image'],
    'sim': ['mujoco', 'pillow'],
    'web': ['aiohttp'],
}
EXTRAS['all'] = sorted({name for names in EXTRAS.values() for name in names})
EXTRAS['dev'] = ['pytest', 'pytest-timeout', 'ruff']

setup(
    name='refdiff_ros',
    version='0.1.0',
    description='Segments whatever a sentence refers to, and says where to grip it (Ref-Diff).',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=find_packages(include=['refdiff_ros', 'refdiff_ros.*']),
    package_data={'refdiff_ros': ['**/*.json', '**/*.yaml', '**/*.txt', 'bundles/**/*',
                                  'evaluation/html/assets/*', 'ros/web/assets/*']},
    install_requires=['jinja2', 'numpy', 'pyyaml', 'torch', 'tqdm'],
    extras_require=EXTRAS,
    entry_points={'console_scripts': ['refdiff = refdiff_ros.cli:main']},
)
