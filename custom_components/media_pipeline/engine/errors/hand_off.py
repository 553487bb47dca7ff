"""What can go wrong where files are only handed over: actions, phones."""

from .classes import PermanentError, TargetUnavailableError, TransientError


class OutcomeUnknown(PermanentError):
    """Something was handed over and nobody knows whether it arrived."""

    key = "outcome_unknown"


class OnlyHandedOver(PermanentError):
    """The target only takes: nothing can be listed, proven or brought back there."""

    key = "only_handed_over"


class ActionMissing(TargetUnavailableError):
    """Home Assistant has no such action now."""

    key = "action_missing"


class ActionKeepsFailing(TargetUnavailableError):
    """The action failed several times in a row: it would for every photo."""

    key = "action_keeps_failing"


class ActionError(PermanentError):
    """The action did not take a photo."""

    key = "action_failed"


class ActionRefused(ActionError):
    """The action does not take the data it is called with."""

    key = "action_refused"


class ActionTemplateFailed(ActionError):
    """A template in the action's data can't be rendered."""

    key = "action_template_failed"


class ActionPathNotAllowed(ActionError):
    """The action failed, and Home Assistant lets actions read no files of the archive."""

    key = "action_path_not_allowed"


class TargetWaiting(TargetUnavailableError):
    """Nothing is wrong: the target waits for what its owner set as a condition."""

    key = "target_waiting"


class PhoneNotCharging(TargetWaiting):
    """The phone is not charging."""

    key = "phone_not_charging"


class PhoneNotOnWifi(TargetWaiting):
    """The phone is not in its Wi-Fi network."""

    key = "phone_not_on_wifi"


class PhoneTooHot(TargetWaiting):
    """The phone's battery is too hot."""

    key = "phone_too_hot"


class PhoneWindowFull(TargetWaiting):
    """The phone holds as much of ours as it may: it has to back up and free space first."""

    key = "phone_window_full"


class TooLargeForPhone(PermanentError):
    """A file is larger than all that may lie on the phone at a time."""

    key = "too_large_for_phone"


class PhoneNotTold(TransientError):
    """The phone's media library could not be told of files, in no way; what lies there stays."""

    key = "scan_failed"


class ScanHung(PhoneNotTold):
    """``termux-media-scan`` did not end, and nothing else works."""

    key = "scan_hung"


class ScanMissing(PhoneNotTold):
    """There is no ``termux-media-scan``, and nothing else works."""

    key = "scan_missing"
