"""The cases of all alerts."""

from typing import Final

from tests.support.alerts.brain_alert_cases import BRAIN_CASES
from tests.support.alerts.door_alert_cases import DOOR_CASES
from tests.support.alerts.operator_alert_cases import OPERATOR_CASES
from tests.support.alerts.recorded_series import Case

CASES: Final[tuple[Case, ...]] = (*OPERATOR_CASES, *DOOR_CASES, *BRAIN_CASES)
