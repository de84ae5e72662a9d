"""The SROS 2 policies allow what the real nodes have on a real graph, and nothing else."""

from pathlib import Path
import xml.etree.ElementTree as ElementTree

from pytest import fixture, mark
import rclpy
from rclpy.context import Context
from ros_graph import NODE, NodeProcess, ROOT, wait_for

POLICY = ROOT / 'config' / 'sros2' / 'refdiff.policy.xml'
_INCLUDE = '{http://www.w3.org/2001/XInclude}include'
# Only with other parameters than the defaults, or with packages that are not always there.
OPTIONAL = {
    '/refdiff/node': {('subscribe', '/image/compressed'),
                      ('publish', '/bond'), ('subscribe', '/bond')},
    '/refdiff/camera': {('publish', '/color/image_raw/compressed')},
    '/refdiff/gripper': {('publish', '/color/image_raw/compressed')},
    'all': {('subscribe', '/clock'), ('subscribe', '/parameter_events'),
            ('subscribe', '/tf'), ('subscribe', '/tf_static'),
            ('call', '/move_action'), ('call', '/gripper_command'),
            ('call', '/parallel_gripper_command')},
}
# Enclave, node and what starts it.
NODES = (
    ('/refdiff/node', 'refdiff', NODE, {}),
    ('/refdiff/follow', 'refdiff_follow', NODE.parent / 'follow_server', {}),
    ('/refdiff/pick', 'refdiff_pick', NODE.parent / 'pick_server', {}),
    ('/refdiff/camera', 'tabletop_camera', NODE.parent / 'tabletop_camera', {'rate': 1.0}),
    ('/refdiff/gripper', 'tabletop_gripper', NODE.parent / 'tabletop_gripper', {'rate': 1.0}),
)
_OF_ACTION = '/_action/'


def _included(element: ElementTree.Element, folder: Path) -> list[ElementTree.Element]:
    """The children of an element, those of included files in place of the includes."""
    children = []
    for child in element:
        if child.tag == _INCLUDE:
            path = folder / child.get('href')
            assert child.get('xpointer') == 'xpointer(/profile/*)'
            children += _included(ElementTree.parse(path).getroot(), path.parent)
        else:
            children.append(child)
    return children


def _full_name(name: str, namespace: str, node: str) -> str:
    """As the translation to DDS permissions does it."""
    prefix = namespace.rstrip('/') + '/'
    if name.startswith('~'):
        return f'{prefix}{node}{name[1:]}'
    return name if name.startswith('/') else prefix + name


def allowed(enclave: str) -> dict[str, set[tuple[str, str]]]:
    """For each node of an enclave what it may do: (verb, full name)."""
    for element in ElementTree.parse(POLICY).getroot().iter('enclave'):
        if element.get('path') == enclave:
            return {profile.get('node'): _rules(profile) for profile in element.iter('profile')}
    raise AssertionError(f'no enclave {enclave}')


def _rules(profile: ElementTree.Element) -> set[tuple[str, str]]:
    rules = set()
    for group in _included(profile, POLICY.parent):
        verbs = [verb for verb, rule in group.attrib.items() if rule == 'ALLOW']
        assert len(verbs) == len(group.attrib) >= 1
        for item in group:
            name = _full_name(item.text, profile.get('ns'), profile.get('node'))
            rules |= {(verb, name) for verb in verbs}
    return rules


@fixture(scope='module')
def watcher():
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('watcher', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


def _has(watcher, name: str) -> set[tuple[str, str]]:
    """What a node has on the graph, by verb and full name; topics of an action as the action."""
    asked = (('publish', watcher.get_publisher_names_and_types_by_node),
             ('subscribe', watcher.get_subscriber_names_and_types_by_node),
             ('reply', watcher.get_service_names_and_types_by_node),
             ('request', watcher.get_client_names_and_types_by_node))
    of_action = {'publish': 'execute', 'reply': 'execute', 'subscribe': 'call', 'request': 'call'}
    found = set()
    for verb, ask in asked:
        for full_name, _ in ask(name, '/'):
            action, is_action, _ = full_name.partition(_OF_ACTION)
            found.add((of_action[verb], action) if is_action else (verb, full_name))
    return found


@mark.parametrize(('enclave', 'name', 'script', 'parameters'), NODES)
def test_each_node_may_do_what_it_does_and_no_more(watcher, enclave, name, script, parameters):
    rules = allowed(enclave)[name]
    needed = rules - OPTIONAL['all'] - OPTIONAL.get(enclave, set())
    process = NodeProcess(parameters, script)
    try:
        wait_for(lambda: name in watcher.get_node_names(), message=lambda: process.output)
        wait_for(lambda: needed <= _has(watcher, name),
                 message=lambda: f'not on the graph: {needed - _has(watcher, name)}')
        assert _has(watcher, name) - rules == set()
    finally:
        process.stop()


def test_who_asks_may_use_what_the_nodes_offer_and_set_nothing():
    asks = allowed('/refdiff/operator')['refdiff_operator']
    offered = {('request' if verb == 'reply' else 'call', name)
               for enclave, node, _, _ in NODES for verb, name in allowed(enclave)[node]
               if verb in ('reply', 'execute')}
    assert {rule for rule in asks if rule[0] in ('request', 'call')} <= offered
    heard = {name for enclave, node, _, _ in NODES
             for verb, name in allowed(enclave)[node] if verb == 'publish'}
    assert {name for verb, name in asks if verb == 'subscribe'} <= heard | {'/clock'}
    assert not any(name.endswith(('set_parameters', 'change_state')) for verb, name in asks
                   if verb == 'request')


def test_a_node_that_is_to_enforce_security_does_not_start_without_it(tmp_path):
    process = NodeProcess({}, environment={
        'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce',
        'ROS_SECURITY_KEYSTORE': str(tmp_path)})
    assert process.wait() == 2
    assert 'refdiff: the node cannot start: expected what ROS_SECURITY_ENABLE asks for' in \
        process.output
    assert 'Traceback' not in process.output
