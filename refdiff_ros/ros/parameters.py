"""Every parameter of the node in one table, read into one frozen record.

`when` says what it takes for a new value to count:
    'start': read once when the process starts; read-only afterwards.
    'configure': the next `configure`; may be set while the node is unconfigured.
    'activate': the next `activate`; may be set while the node is not active.
    'any': the next answer; may be set at any time.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
import difflib
import math
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter

from refdiff_ros.errors import BadRequestError
from refdiff_ros.pictures.header import MAX_MEGAPIXELS
from refdiff_ros.presets import Mode, PRESETS


@dataclass(frozen=True)
class ParameterSpec:
    """One row of the table.

    Attributes:
        name: parameter name, also the field of `NodeConfig`.
        default: default value; its type is the parameter's type.
        text: one sentence, with the unit.
        when: 'start', 'configure', 'activate' or 'any' (see the module).
        low, high: inclusive range of a number, None for open strings and booleans.
        choices: the values that a string may have; empty for any.
    """

    name: str
    default: bool | int | float | str
    text: str
    when: str = 'any'
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[float, float] | None:
        """The least and the largest value; None where any may be."""
        return None if self.low is None or self.high is None else (self.low, self.high)

    def check(self, value: Any) -> bool | int | float | str:
        """`value` as this parameter's type.

        Raises:
            BadRequestError: wrong type, out of range, or not one of the choices.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)  # `max_rate: 5` in YAML is meant as 5.0
        if type(value) is not kind:
            raise BadRequestError(
                f'expected {self.name} as {kind.__name__}, got {value!r} '
                f'({type(value).__name__})')
        if self.choices and value not in self.choices:
            raise BadRequestError(
                f'expected {self.name} to be one of {list(self.choices)}, got {value!r}')
        if self.bounds is not None and not _in_range(float(value), self.bounds):
            raise BadRequestError(
                f'expected {self.name} in {self.low:g}..{self.high:g}, got {value:g}')
        return value

    def descriptor(self) -> ParameterDescriptor:
        """What `ros2 param describe` shows."""
        texts = {
            'start': 'Read-only.',
            'configure': "Counts from the next 'configure'.",
            'activate': "Counts from the next 'activate'.",
            'any': 'May be changed at any time; counts from the next answer.',
        }
        result = ParameterDescriptor(
            name=self.name, description=f'{self.text} {texts[self.when]}',
            read_only=self.when == 'start')
        if self.choices:
            result.additional_constraints = f'one of {", ".join(self.choices)}'
        if self.bounds is None:
            return result
        low, high = self.bounds
        if isinstance(self.default, float):
            # A whole number from YAML or the command line comes typed as an integer.
            result.dynamic_typing = True
            result.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high))]
        else:
            result.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=1)]
        return result


def _in_range(value: float, bounds: tuple[float, float]) -> bool:
    return math.isfinite(value) and bounds[0] <= value <= bounds[1]


PARAMETERS = (
    ParameterSpec(
        'autostart', True,
        'Configure and activate by itself at start; false leaves that to a lifecycle manager.',
        'start'),
    ParameterSpec(
        'bundle', 'tabletop_mini',
        'Model bundle: a name of `refdiff models list`, a folder, or a hub id.', 'configure'),
    ParameterSpec(
        'revision', '', 'Revision of a bundle from the hub; empty takes the pinned one.',
        'configure'),
    ParameterSpec(
        'offline', False, 'Never touch the network: the bundle must be complete on disk.',
        'configure'),
    ParameterSpec(
        'device', 'auto', 'Where the models run: auto, cpu, cuda, cuda:1, ...', 'configure'),
    ParameterSpec(
        'dtype', 'auto', 'Precision of the models.', 'configure',
        choices=('auto', 'float32', 'float16', 'bfloat16')),
    ParameterSpec(
        'low_memory', False,
        'Keep one model on the device at a time: less memory, slower answers.', 'configure'),
    ParameterSpec(
        'compile', False,
        "Compile SAM's image encoder by torch.compile while configuring: seconds to minutes at "
        'first, kept on disk for the next start, and again at the first image of other '
        'proportions than 4:3.', 'configure'),
    ParameterSpec(
        'preset', 'onboard', 'Reading of the method that answers.',
        choices=tuple(sorted(PRESETS))),
    ParameterSpec(
        'mode', 'full',
        'Ablation of the method: full uses both scores and the segmentor. Only what the mode '
        'needs is loaded: a mode that needs more is reached by cleanup and configure.',
        choices=tuple(mode.value for mode in Mode)),
    ParameterSpec(
        'calibration', '',
        'File of a calibration that `refdiff calibrate` wrote for this bundle, preset and mode; '
        "empty takes the bundle's own, where it has one.", 'configure'),
    ParameterSpec(
        'min_presence', 0.2,
        'Where nothing is calibrated: NOT_FOUND below this presence, 0 to 1; 0 never refuses.',
        low=0.0, high=1.0),
    ParameterSpec(
        'seed', 0, 'Seed of the diffusion noise; the same seed gives the same answer.',
        low=0, high=2**31 - 1),
    ParameterSpec(
        'check_expressions', True,
        "Refuse a text that is more or less than one expression ('put it on the tray', 'not the "
        "mug', 'stop') with a sentence; off for data sets, whose texts are answered as they are."),
    ParameterSpec(
        'image_transport', 'raw',
        "raw subscribes to 'image', compressed to 'image/compressed'.", 'activate',
        choices=('raw', 'compressed')),
    ParameterSpec(
        'reliability', 'auto',
        'Reliability of the subscriptions; auto follows the publisher and is best effort '
        'until one is there.', 'activate', choices=('auto', 'best_effort', 'reliable')),
    ParameterSpec(
        'max_rate', 5.0, 'Most answers per second to the standing expression, Hz.',
        low=0.01, high=1000.0),
    ParameterSpec(
        'follow', True,
        'Between answers to the standing expression, carry the last mask on to each new image by '
        "optical flow and publish it as well, marked 'CARRIED'."),
    ParameterSpec(
        'still_within', 0.0,
        'For the standing expression: where the mean colours of small parts of the image stay '
        "within so many steps of 8 bit, the camera's motion aside, the proposals of the frame "
        'before are kept, and others are made where something changed. 8 is a good value; 0 makes '
        'all anew for each frame.', low=0.0, high=255.0),
    ParameterSpec(
        'prefetch', False,
        'Without a standing expression, prepare frames as they come, at most max_rate a second, '
        'so that a service call without an image finds one ready: it is then answered on the '
        'frame that was prepared last, if that is no older than max_age.'),
    ParameterSpec(
        'max_age', 1.0,
        'A service call without an image uses the newest frame if it arrived at most this many '
        "seconds ago on the node's clock.", low=0.01, high=3600.0),
    ParameterSpec(
        'max_megapixels', 2.1,
        'Larger images are answered at this many megapixels and the mask is scaled back.',
        low=0.01, high=100.0),
    ParameterSpec(
        'max_input_megapixels', MAX_MEGAPIXELS,
        'Larger images are refused before they are decoded: a few hundred bytes can claim '
        'billions of pixels.', low=0.01, high=1000.0),
    ParameterSpec(
        'sync_tolerance', 0.02,
        'Depth belongs to an image when their stamps differ by at most this many seconds.',
        low=0.0, high=10.0),
    ParameterSpec(
        'first_wait', 1.0,
        'After the first image, an answer waits at most this many seconds for the first depth '
        'and the first camera_info, where somebody publishes them.', low=0.0, high=60.0),
    ParameterSpec(
        'rectified', False,
        'The image is rectified: take the intrinsics from P of camera_info, not from K.'),
    ParameterSpec(
        'queue_size', 8, 'Service calls that may wait; a further one is answered BUSY.',
        low=1, high=1000),
    ParameterSpec(
        'service_timeout', 10.0,
        'A service call whose turn has not come after this many seconds is answered TIMEOUT.',
        low=0.01, high=3600.0),
    ParameterSpec(
        'step_timeout', 120.0,
        'A step of an answer that has not ended after this many seconds hangs: /diagnostics says '
        'ERROR and names it, its call is answered TIMEOUT and further ones are refused. A step '
        'that keeps every thread of the process from running ends the process. 0 for no limit.',
        low=0.0, high=3600.0),
    ParameterSpec(
        'on_hang', 'report',
        'What a node does whose step hangs: report, and answer again should the step end after '
        'all; or exit with status 70 after 2 s, for who starts it again (the launch argument '
        'respawn sets this).', choices=('report', 'exit')),
    ParameterSpec(
        'bond_heartbeat_period', 0.25,
        "Seconds between heartbeats on /bond while the node is active and no step hangs, for "
        "nav2's lifecycle manager; 0 sends none. Needs the ROS package bond.", 'activate',
        low=0.0, high=60.0),
    ParameterSpec(
        'candidates', 8, 'Most regions listed in an answer.', low=1, high=100),
    ParameterSpec(
        'web_port', 0, 'Port of the operator page; 0 serves none.', 'configure',
        low=0, high=65535),
    ParameterSpec(
        'web_address', '127.0.0.1',
        'Address that the operator page is served on; one that other machines reach needs '
        'web_token_file.', 'configure'),
    ParameterSpec(
        'web_token_file', '',
        'File of mode 0600 with what the operator page asks for before it opens, 12 characters or '
        'more; empty asks for nothing, on loopback only.', 'configure'),
    ParameterSpec(
        'web_certificate', '',
        'PEM file with the certificate that the operator page is served with over HTTPS; empty '
        'serves plain HTTP.', 'configure'),
    ParameterSpec(
        'web_key', '', 'PEM file with the key of web_certificate, without a passphrase.',
        'configure'),
    ParameterSpec(
        'web_follower', 'refdiff_follow',
        'Node that the operator page gives orders to; empty for a page that only finds.',
        'configure'),
)
BY_NAME = {spec.name: spec for spec in PARAMETERS}
# Parameters that rclpy itself declares.
_OF_RCLPY = ('use_sim_time', 'start_type_description_service')
# Parameters that are no more, with what to do instead.
_DROPPED = {
    'web_token':
        'every node of the graph can read a parameter, so the token comes from a file: write it '
        'into one of mode 0600 and set web_token_file to its path',
}
# From this likeness on a name is a slip of the pen: 'bundel' and 'bundle' have 0.83.
_NEARLY = 0.82


@dataclass(frozen=True)
class NodeConfig:
    """The values of all parameters; see `PARAMETERS` for meaning and unit."""

    autostart: bool = True
    bundle: str = 'tabletop_mini'
    revision: str = ''
    offline: bool = False
    device: str = 'auto'
    dtype: str = 'auto'
    low_memory: bool = False
    compile: bool = False
    preset: str = 'onboard'
    mode: str = 'full'
    calibration: str = ''
    min_presence: float = 0.2
    seed: int = 0
    check_expressions: bool = True
    image_transport: str = 'raw'
    reliability: str = 'auto'
    max_rate: float = 5.0
    follow: bool = True
    still_within: float = 0.0
    prefetch: bool = False
    max_age: float = 1.0
    max_megapixels: float = 2.1
    max_input_megapixels: float = MAX_MEGAPIXELS
    sync_tolerance: float = 0.02
    first_wait: float = 1.0
    rectified: bool = False
    queue_size: int = 8
    service_timeout: float = 10.0
    step_timeout: float = 120.0
    on_hang: str = 'report'
    bond_heartbeat_period: float = 0.25
    candidates: int = 8
    web_port: int = 0
    web_address: str = '127.0.0.1'
    web_token_file: str = ''
    web_certificate: str = ''
    web_key: str = ''
    web_follower: str = 'refdiff_follow'

    def __post_init__(self):
        for field in fields(self):
            spec = BY_NAME[field.name]
            object.__setattr__(self, field.name, spec.check(getattr(self, field.name)))

    def updated(self, values: Mapping[str, Any]) -> 'NodeConfig':
        """A copy with `values` in it; names that are not in the table are left out.

        Raises:
            BadRequestError: a value has the wrong type or is out of range.
        """
        return replace(self, **{k: v for k, v in values.items() if k in BY_NAME})


def declare(node: Node) -> NodeConfig:
    """Declare the whole table on `node` and read it once.

    Raises:
        BadRequestError: a value from the command line or a YAML file is not valid.
        rclpy.exceptions.InvalidParameterTypeException: likewise, for a wrong type.
        rclpy.exceptions.InvalidParameterValueException: likewise, for a value out of range.
    """
    given = node._parameter_overrides  # rclpy tells of them in no other way
    for name in unknown_names(given, BY_NAME):
        node.get_logger().warning(
            f"the parameter '{name}' is none of this node and is ignored: see the parameters in "
            'config/refdiff.yaml')
    values: dict[str, Any] = {}
    for spec in PARAMETERS:
        parameter: Parameter = node.declare_parameter(spec.name, spec.default, spec.descriptor())
        values[spec.name] = spec.check(parameter.value)
        if type(parameter.value) is not type(spec.default):  # a whole number for a fraction
            node.set_parameters([Parameter(spec.name, value=values[spec.name])])
    return NodeConfig(**values)


def unknown_names(given: Iterable[str], known: Collection[str]) -> tuple[str, ...]:
    """Names in a params file or on the command line that are no parameters.

    A file for all nodes ('/**') may hold other nodes' parameters, so these are only told.

    Raises:
        BadRequestError: a name is nearly that of a parameter, so that this one was meant, or that
            of one that is no more.
    """
    for name in given:
        if name in _DROPPED and name not in known:
            raise BadRequestError(f"'{name}' is a parameter no longer: {_DROPPED[name]}")
    unknown = tuple(name for name in given if name not in known and name not in _OF_RCLPY
                    and not name.startswith('qos_overrides.'))
    for name in unknown:
        meant = difflib.get_close_matches(name, known, 1, _NEARLY)
        if meant:
            raise BadRequestError(
                f"expected a parameter of this node, got '{name}': did you mean '{meant[0]}'?")
    return unknown


def with_floats(parameters: list[Parameter]) -> list[Parameter]:
    """Whole numbers for parameters that are fractions as such: `ros2 param set ... max_rate 5`.

    Otherwise the parameter would be an integer from then on.
    """
    fractions = {spec.name for spec in PARAMETERS if isinstance(spec.default, float)}
    return [Parameter(p.name, value=float(p.value))
            if p.name in fractions and type(p.value) is int else p for p in parameters]


def check_change(
    parameters: Iterable[Parameter], config: NodeConfig, state: str,
) -> SetParametersResult:
    """Whether `parameters` may be set in the lifecycle state `state`, with a reason if not."""
    settable = {
        'any': True,
        'start': False,
        'configure': state == 'unconfigured',
        'activate': state in ('unconfigured', 'inactive'),
    }
    do_first = {'configure': "run 'cleanup' first, then set it and run 'configure'",
                'activate': "run 'deactivate' first, then set it and run 'activate'",
                'start': 'set it when the node is started'}
    try:
        for parameter in parameters:
            spec = BY_NAME.get(parameter.name)
            if spec is None:
                continue
            value = spec.check(parameter.value)
            if not settable[spec.when] and value != getattr(config, spec.name):
                raise BadRequestError(
                    f"{spec.name} cannot be changed while the node is '{state}': "
                    f'{do_first[spec.when]}')
    except BadRequestError as error:
        return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
