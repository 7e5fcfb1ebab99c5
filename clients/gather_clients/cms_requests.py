"""How the CMS (Payload) is asked for departments: the key's header, the query, its paging, their settings.

The operator asks at the start of a run, `gather-worker check` before it; both must ask in the same way.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import Field
from pydantic_settings import BaseSettings

from gather_clients.http_calls.held_keys import HeaderKey, HeldKey

DEPARTMENTS_PATH: Final = "/api/departments"
PAGE_BYTES_MAX: Final = 4 * 1024 * 1024
KEY_VARIABLE: Final = "PAYLOAD_API_KEY"
LIMIT: Final = 100
PAYLOAD_FORM: Final = "users API-Key"
BEARER_FORM: Final = "Bearer"
INSTRUCTIONS_FIELD: Final = "gatherInstructions"
_FIELD: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"


@dataclass(frozen=True, slots=True)
class CmsForm:
    """How the CMS wants to be asked."""

    authorization: str = PAYLOAD_FORM
    """What stands before the key: `Bearer`, or a collection of Payload's and `API-Key`."""
    limit: int = LIMIT
    """Documents of one page."""
    is_paged: bool = True
    """Read page after page; else one answer, asked for with `pagination=false`, must hold all."""
    instructions_field: str = INSTRUCTIONS_FIELD
    """Where a department's instructions stand, groups before points; "" where there are none."""

    def held_key(self, api_key: str | None) -> HeldKey:
        """Return what sends the key with each request; `api_key` is the key as it was at the start."""
        return HeldKey(KEY_VARIABLE, api_key, self.authorization)

    def query(self, page: int = 1) -> dict[str, str | int]:
        """Return the query for one page of the departments that take part, in working order."""
        return {
            "where[gatherCheck][equals]": "true",
            "where[isActive][equals]": "true",
            "sort": "codeDepNumber",
            "limit": self.limit,
            **({"page": page} if self.is_paged else {"pagination": "false"}),
            "depth": 0,
        }


class CmsSettings(BaseSettings):
    """The settings by which the CMS is asked."""

    payload_api_key: HeaderKey | None = Field(default=None, validation_alias=KEY_VARIABLE)
    cms_authorization: str = Field(
        default=PAYLOAD_FORM,
        pattern=r"^(Bearer|[A-Za-z0-9_-]{1,63} API-Key)$",
        validation_alias="GATHER_CMS_AUTHORIZATION",
    )
    """What stands before the key in the header; Payload tells capitals from small letters."""
    cms_limit: int = Field(default=LIMIT, ge=10, le=1000, validation_alias="GATHER_CMS_LIMIT")
    """Departments of one page."""
    cms_paging: bool = Field(default=True, validation_alias="GATHER_CMS_PAGING")
    """False: one answer of at most `GATHER_CMS_LIMIT` departments is all that is read."""
    cms_instructions_field: str = Field(
        default=INSTRUCTIONS_FIELD,
        pattern=rf"^({_FIELD}(\.{_FIELD}){{0,3}})?$",
        validation_alias="GATHER_CMS_INSTRUCTIONS_FIELD",
    )
    """The department's field that says what is wanted of its notes, groups before points; empty: none is."""

    @property
    def cms_key(self) -> str | None:
        """Return the key, None if there is none."""
        return self.payload_api_key.get_secret_value() if self.payload_api_key else None

    @property
    def cms_form(self) -> CmsForm:
        """Return how the CMS wants to be asked."""
        return CmsForm(self.cms_authorization, self.cms_limit, self.cms_paging, self.cms_instructions_field)
