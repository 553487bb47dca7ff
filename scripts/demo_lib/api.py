"""Home Assistant's API, as its own frontend uses it."""

from typing import Any, Final

import aiohttp

from . import DemoFailed

USER: Final = "demo"
PASSWORD: Final = "demo"


class HomeAssistantApi:
    """Talks to one Home Assistant as one user."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        """Not logged in yet."""
        self._session = session
        self._url = url
        self._token = ""

    async def onboard(self) -> None:
        """Make the owner and log in."""
        client_id = f"{self._url}/"
        answer = await self.post(
            "/api/onboarding/users",
            {
                "client_id": client_id,
                "name": "Demo",
                "username": USER,
                "password": PASSWORD,
                "language": "en",
            },
        )
        await self._exchange(client_id, answer["auth_code"])

    async def log_in(self) -> None:
        """Log in as the owner that was made before."""
        client_id = f"{self._url}/"
        flow = await self.post(
            "/auth/login_flow",
            {"client_id": client_id, "handler": ["homeassistant", None], "redirect_uri": client_id},
        )
        done = await self.post(
            f"/auth/login_flow/{flow['flow_id']}",
            {"client_id": client_id, "username": USER, "password": PASSWORD},
        )
        await self._exchange(client_id, done["result"])

    async def _exchange(self, client_id: str, code: str) -> None:
        form = {"client_id": client_id, "grant_type": "authorization_code", "code": code}
        async with self._session.post(f"{self._url}/auth/token", data=form) as answer:
            self._token = (await self._read(answer))["access_token"]

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    async def get(self, path: str) -> Any:
        """Read something."""
        async with self._session.get(self._url + path, headers=self._headers) as answer:
            return await self._read(answer)

    async def post(self, path: str, data: dict[str, Any]) -> Any:
        """Send something."""
        async with self._session.post(self._url + path, json=data, headers=self._headers) as answer:
            return await self._read(answer)

    @staticmethod
    async def _read(answer: aiohttp.ClientResponse) -> Any:
        if answer.status >= 400:
            raise DemoFailed(f"{answer.url.path}: {answer.status} {await answer.text()}")
        return await answer.json()

    async def act(self, action: str, **data: Any) -> dict[str, Any]:
        """Perform an action of the integration and return its response."""
        path = f"/api/services/media_pipeline/{action}?return_response"
        answer = await self.post(path, data)
        response = answer["service_response"]
        assert isinstance(response, dict)
        return response

    async def states(self) -> dict[str, dict[str, Any]]:
        """All states by entity id."""
        return {state["entity_id"]: state for state in await self.get("/api/states")}

    async def command(self, kind: str, **fields: Any) -> Any:
        """One command over the WebSocket."""
        async with self._session.ws_connect(f"{self._url}/api/websocket") as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": self._token})
            welcome = await socket.receive_json()
            if welcome["type"] != "auth_ok":
                raise DemoFailed(f"the WebSocket refused us: {welcome}")
            await socket.send_json({"id": 1, "type": kind, **fields})
            answer = await socket.receive_json()
        if not answer.get("success"):
            raise DemoFailed(f"{kind}: {answer.get('error')}")
        return answer["result"]
