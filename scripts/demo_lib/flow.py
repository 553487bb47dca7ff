"""A dialog of Home Assistant, driven as the browser drives it."""

from typing import Any, Final

from . import DemoFailed
from .api import HomeAssistantApi

CONFIG: Final = "/api/config/config_entries/flow"
SUBENTRY: Final = "/api/config/config_entries/subentries/flow"


class Dialog:
    """One config flow; every answer shows the next step."""

    def __init__(self, api: HomeAssistantApi, path: str, shown: dict[str, Any]) -> None:
        """Go on with a flow that already shows something."""
        self._api = api
        self._path = path
        self.shown = shown

    @classmethod
    async def open(cls, api: HomeAssistantApi, path: str, handler: Any) -> Dialog:
        """Start a flow."""
        return cls(api, path, await api.post(path, {"handler": handler}))

    @classmethod
    async def go_on(cls, api: HomeAssistantApi, path: str, flow_id: str) -> Dialog:
        """Show a flow that Home Assistant started itself."""
        return cls(api, path, await api.get(f"{path}/{flow_id}"))

    async def choose(self, option: str) -> None:
        """Click an entry of a menu."""
        if self.shown["type"] != "menu" or option not in self.shown["menu_options"]:
            raise DemoFailed(f"no menu with {option}: {self.shown}")
        await self._send({"next_step_id": option})

    async def submit(self, step: str, **values: Any) -> None:
        """Fill a form in and send it; what is not given stays as the form shows it."""
        self._at(step)
        filled = {
            field["name"]: field["default"]
            for field in self.shown.get("data_schema") or []
            if "default" in field
        }
        await self._send(filled | values)
        if self.shown.get("errors"):
            raise DemoFailed(f"the form {step} was refused: {self.shown['errors']}")
        if self.shown["type"] == "abort":
            raise DemoFailed(f"the dialog ended at {step}: {self.shown['reason']}")

    def _at(self, step: str) -> None:
        if self.shown["type"] != "form" or self.shown["step_id"] != step:
            raise DemoFailed(f"expected the form {step}: {self.shown}")

    async def _send(self, data: dict[str, Any]) -> None:
        self.shown = await self._api.post(f"{self._path}/{self.shown['flow_id']}", data)

    def created(self) -> dict[str, Any]:
        """What was created at the end. Raises DemoFailed when the dialog is not at its end."""
        if self.shown["type"] != "create_entry":
            raise DemoFailed(f"nothing was created: {self.shown}")
        return self.shown
