"""What can go wrong with the one-machine cluster, split by what the user can do about it.

DevError                  the message says what happened and what to do; shown without a traceback
├── MachineError          the machine lacks something: install it, free it, or become root
├── CommandError          a program that we ran failed: the end of its output is in the message
├── ClusterError          the cluster did not come up or is not there
├── ContextError          the kube-context is not ours: name it explicitly to mean it
└── WaitTimeoutError      a condition did not come true in time: the message says which
"""


class DevError(Exception):
    """Something that a person can act on; the message is all that they need."""


class MachineError(DevError):
    """This machine lacks something, or something else holds what we need."""


class CommandError(DevError):
    """A program that we ran ended badly or took too long."""


class ClusterError(DevError):
    """The cluster is not there, or did not come up."""


class ContextError(DevError):
    """The kube-context was not made by us and was not named explicitly."""


class WaitTimeoutError(DevError):
    """A condition did not come true in time."""
