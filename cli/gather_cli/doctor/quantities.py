"""Kubernetes' quantities as numbers: 250m, 192Mi, 2."""

from decimal import Decimal, InvalidOperation
from typing import Final

UNITS: Final = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"),
    "k": Decimal(10) ** 3, "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9, "T": Decimal(10) ** 12, "P": Decimal(10) ** 15, "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20, "Gi": Decimal(2) ** 30, "Ti": Decimal(2) ** 40, "Pi": Decimal(2) ** 50,
}  # fmt: skip


def quantity(text: object) -> Decimal:
    """Return the number; 0 if it is none."""
    found = str(text)
    unit = next((unit for unit in sorted(UNITS, key=len, reverse=True) if found.endswith(unit)), "")
    try:
        return Decimal(found.removesuffix(unit)) * UNITS.get(unit, Decimal(1))
    except InvalidOperation:
        return Decimal(0)
