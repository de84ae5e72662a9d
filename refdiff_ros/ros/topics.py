"""Every topic, service and action of the nodes in one table each.

Names as in the code: relative ones are remapped or prefixed by a namespace, `~/` stands for the
node's own name. `docs/reference.md` and the tests of the RViz and Foxglove files read this.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class TopicSpec:
    """One row of the table.

    Attributes:
        name: topic or service name before remapping.
        kind: 'in', 'out', 'service', 'action' or 'client'.
        type: 'package/msg/Type', with srv or action for msg.
        text: one sentence.
    """

    name: str
    kind: str
    type: str
    text: str


NODE = (
    TopicSpec('image', 'in', 'sensor_msgs/msg/Image',
              'Colour images; image/compressed (CompressedImage) with image_transport '
              'compressed.'),
    TopicSpec('depth', 'in', 'sensor_msgs/msg/Image',
              'Depth registered to the image: 16UC1 millimetres or 32FC1 metres, 0 is no reading. '
              'Optional.'),
    TopicSpec('camera_info', 'in', 'sensor_msgs/msg/CameraInfo',
              'Intrinsics of the colour camera. Optional; needed for grasp poses.'),
    TopicSpec('expression', 'in', 'std_msgs/msg/String',
              'Standing expression: new frames are answered at up to max_rate; empty clears it.'),
    TopicSpec('~/mask', 'out', 'refdiff_ros/msg/ReferringMask',
              'The answer to the standing expression, of the models or carried on (origin): '
              'status, reason, mask, confidence, candidates, and the question which of them is '
              'meant.'),
    TopicSpec('~/mask_image', 'out', 'sensor_msgs/msg/Image',
              'The mask alone, mono8, 0 or 255; made only while somebody listens.'),
    TopicSpec('~/grasp_region', 'out', 'refdiff_ros/msg/GraspRegion',
              'Oriented rectangle, contour, ranked grasp candidates and grasp pose.'),
    TopicSpec('~/grasp_pose', 'out', 'geometry_msgs/msg/PoseStamped',
              'The grasp pose alone, in the optical frame; of FOUND answers with a pose.'),
    TopicSpec('~/overlay', 'out', 'sensor_msgs/msg/Image',
              'The image with mask, attention and grasp drawn on it, and the numbers of a '
              'question; of calls too where there is no standing expression. Only while somebody '
              'listens.'),
    TopicSpec('~/attention', 'out', 'sensor_msgs/msg/Image',
              "The root word's attention as a picture; only while somebody listens."),
    TopicSpec('~/markers', 'out', 'visualization_msgs/msg/MarkerArray',
              'Grasp pose, gripper rectangle, grasp candidates and the regions of an ambiguous '
              'answer, in the optical frame; only while somebody listens.'),
    TopicSpec('~/selected', 'out', 'refdiff_ros/msg/ReferringMask',
              'The region that an operator chose on the operator page, as a FOUND answer.'),
    TopicSpec('~/selected_grasp', 'out', 'refdiff_ros/msg/GraspRegion',
              'Where to grip the region that the operator chose.'),
    TopicSpec('/diagnostics', 'out', 'diagnostic_msgs/msg/DiagnosticArray',
              'Once a second: models, inputs, answers, and the reason for silence.'),
    TopicSpec('refdiff_follow/state', 'in', 'refdiff_ros/msg/FollowState',
              'With web_port: what the node that follows (web_follower) does.'),
    TopicSpec('stop', 'out', 'std_msgs/msg/Empty',
              'With web_port: the Stop of the operator page.'),
    TopicSpec('~/segment', 'service', 'refdiff_ros/srv/ReferSegmentation',
              'One expression, on an image of its own or on the newest frame.'),
)

# Where the package of the type is installed.
OPTIONAL = (
    TopicSpec('~/detections', 'out', 'vision_msgs/msg/Detection2DArray',
              'The regions that may be meant, where vision_msgs is installed; only while somebody '
              'listens.'),
)

CAMERA = (
    TopicSpec('color/image_raw', 'out', 'sensor_msgs/msg/Image', 'Colour, rgb8.'),
    TopicSpec('color/image_raw/compressed', 'out', 'sensor_msgs/msg/CompressedImage',
              'The same as JPEG, with the parameter compressed.'),
    TopicSpec('color/camera_info', 'out', 'sensor_msgs/msg/CameraInfo', 'Intrinsics.'),
    TopicSpec('depth/image_raw', 'out', 'sensor_msgs/msg/Image',
              'Depth registered to the colour image, 16UC1 millimetres.'),
    TopicSpec('depth/camera_info', 'out', 'sensor_msgs/msg/CameraInfo', 'Intrinsics.'),
    TopicSpec('~/instances', 'out', 'sensor_msgs/msg/Image',
              'The truth: 16UC1, 0 is background, n is object n.'),
    TopicSpec('~/objects', 'out', 'std_msgs/msg/String',
              'The truth as JSON: names, places, sizes, and expressions to ask; latched.'),
    TopicSpec('~/next_scene', 'service', 'std_srvs/srv/Trigger', 'Lay a new scene.'),
)

PICK_SERVER = (
    TopicSpec('pick_referred', 'action', 'refdiff_ros/action/PickReferred',
              'Pick up what a sentence refers to.'),
    TopicSpec('refdiff/segment', 'client', 'refdiff_ros/srv/ReferSegmentation',
              'Asked where the object is.'),
    TopicSpec('target_pose', 'out', 'geometry_msgs/msg/PoseStamped',
              'Where the point between the fingertips is to go.'),
    TopicSpec('gripper_command', 'out', 'std_msgs/msg/Float64', 'Opening to drive to, metres.'),
    TopicSpec('current_pose', 'in', 'geometry_msgs/msg/PoseStamped',
              'Where the point between the fingertips is.'),
    TopicSpec('joint_states', 'in', 'sensor_msgs/msg/JointState',
              'The positions of finger_joints, each times its factor, add up to the opening.'),
    TopicSpec('depth', 'in', 'sensor_msgs/msg/Image',
              'With camera_info: the way of the fingers must be free in it.'),
    TopicSpec('camera_info', 'in', 'sensor_msgs/msg/CameraInfo', 'Intrinsics of depth.'),
    TopicSpec('stop', 'in', 'std_msgs/msg/Empty', 'The same as ~/stop.'),
    TopicSpec('~/stop', 'service', 'std_srvs/srv/Trigger',
              'The hand holds the pose of this moment, and the running goal ends with STOPPED.'),
    TopicSpec('~/resume', 'service', 'std_srvs/srv/Trigger',
              'After a stop: goals are taken up again.'),
    TopicSpec('~/put_back', 'service', 'std_srvs/srv/Trigger',
              'What is held is brought to where it was taken, and the hand home.'),
)

FOLLOW_SERVER = (
    *PICK_SERVER,
    TopicSpec('follow_instruction', 'action', 'refdiff_ros/action/FollowInstruction',
              'Do what an order says.'),
    TopicSpec('place_referred', 'action', 'refdiff_ros/action/PlaceReferred',
              'Put something somewhere.'),
    TopicSpec('hand_over', 'action', 'refdiff_ros/action/HandOver',
              'Hold something out to a person.'),
    TopicSpec('point_at', 'action', 'refdiff_ros/action/PointAt', 'Point at something.'),
    TopicSpec('~/state', 'out', 'refdiff_ros/msg/FollowState',
              'What is done now; latched, at each change and at 2 Hz while busy.'),
    TopicSpec('~/question', 'out', 'refdiff_ros/msg/FollowQuestion',
              'The open question; latched, kind NONE without one.'),
    TopicSpec('~/answer', 'service', 'refdiff_ros/srv/AnswerQuestion',
              'Answer the open question by an option, a text or a pixel.'),
    TopicSpec('from_human', 'in', 'std_msgs/msg/String',
              'While a question is open an answer, else an order; a stop in every state.'),
    TopicSpec('to_human', 'out', 'std_msgs/msg/String',
              'Questions, and how an order that came on from_human ended.'),
)
