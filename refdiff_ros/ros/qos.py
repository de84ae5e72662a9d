"""Subscription QoS that follows the publisher's."""

from collections.abc import Sequence

from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    qos_check_compatible,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.topic_endpoint_info import TopicEndpointInfo


def subscription_qos(
    publishers: Sequence[TopicEndpointInfo],
    reliability: str = 'auto',
    depth: int = 1,
    until_known: str = 'best_effort',
) -> QoSProfile:
    """The profile with which to subscribe to what `publishers` offer.

    A best-effort, volatile subscription matches every publisher; a reliable one gets every
    message and a transient-local one what was sent before, where all publishers offer that.

    Args:
        publishers: the topic's publishers, from `Node.get_publishers_info_by_topic`.
        reliability: 'auto' to follow the publishers, or 'best_effort' or 'reliable'.
        depth: messages kept.
        until_known: reliability for 'auto' while there is no publisher.
    """
    offers_reliable = [p.qos_profile.reliability == ReliabilityPolicy.RELIABLE
                       for p in publishers]
    offers_latched = [p.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
                      for p in publishers]
    if reliability == 'auto':
        followed = 'reliable' if all(offers_reliable) else 'best_effort'
        reliability = followed if publishers else until_known
    latched = bool(publishers) and all(offers_latched) and reliability == 'reliable'
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliability == 'reliable'
        else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)


def incompatibility(publishers: Sequence[TopicEndpointInfo], qos: QoSProfile) -> str:
    """Why no message of `publishers` can reach a subscription with `qos`, or ''."""
    checks = [qos_check_compatible(publisher.qos_profile, qos) for publisher in publishers]
    if not checks or any(found != QoSCompatibility.ERROR for found, _ in checks):
        return ''
    reasons = '; '.join(dict.fromkeys(
        reason.removeprefix('ERROR: ').strip(' ;') for _, reason in checks))
    return (f'incompatible QoS with every publisher ({reasons}): set the parameter '
            "reliability to 'auto'")


def wrong_type(publishers: Sequence[TopicEndpointInfo], expected: str) -> str:
    """Why no publisher can be heard for its message type, or ''."""
    types = sorted({p.topic_type for p in publishers})
    if not publishers or expected in types:
        return ''
    return f'wrong message type: expected {expected}, got {", ".join(types)}'


def publishers_of(node: Node, topic: str) -> list[TopicEndpointInfo]:
    """The publishers of a topic, whose name is resolved with remappings and namespace."""
    return node.get_publishers_info_by_topic(topic)
