"""setup.icloud.com: account login, validation, terms, data protection consent, storage."""

import asyncio
import secrets
import time

from aiohttp import web

from .account import DSID, Account
from .answers import Json, body_of, reply
from .library import Library

TOKEN_COOKIE = "X-APPLE-WEBAUTH-TOKEN"
YEAR = 365 * 24 * 3600


def domain_of(host: str) -> str:
    """Accounts of mainland China have hosts and cookies of their own."""
    return "icloud.com.cn" if host.partition(":")[0].endswith(".cn") else "icloud.com"


class Setup:
    """Answers the setup host for one account."""

    def __init__(self, account: Account, library: Library, quota: int) -> None:
        self.account = account
        self.library = library
        self.quota = quota

    def _account_data(self, host: str, *, trusted: bool) -> Json:
        services = ("ckdatabasews", "account") if trusted else ("account",)
        domain = domain_of(host)
        hosts = {
            "ckdatabasews": f"https://p61-ckdatabasews.{domain}:443",
            "account": f"https://setup.{domain}:443",
        }
        return {
            "dsInfo": {
                "dsid": DSID,
                "appleId": self.account.apple_id,
                "primaryEmail": self.account.apple_id,
                "fullName": "Some One",
                "languageCode": "en-us",
                "countryCode": "USA",
                "hsaVersion": 2,
                "hsaEnabled": True,
                "isWebAccessAllowed": self.account.web_access,
                "statusCode": 2,
            },
            "webservices": {
                name: {"url": hosts[name], "status": "active", "pcsRequired": name[0] == "c"}
                for name in services
            },
            "hsaTrustedBrowser": trusted,
            "hsaChallengeRequired": not trusted,
            "termsUpdateNeeded": self.account.terms_pending,
            "isExtendedLogin": True,
            "apps": {"photos": {}, "account": {}},
            "version": 2,
        }

    @staticmethod
    def _cookie(
        request: web.BaseRequest, answer: web.Response, name: str, value: str, age: float = YEAR
    ) -> None:
        answer.set_cookie(
            name,
            value,
            domain="." + domain_of(request.host),
            path="/",
            max_age=round(age),
            secure=True,
            httponly=True,
        )

    async def account_login(self, request: web.BaseRequest) -> web.Response:
        """Exchange a session token for cookies."""
        data = await body_of(request)
        home = "icloud.com.cn" if self.account.china else "icloud.com"
        if domain_of(request.host) != home:
            return reply({"domainToUse": home}, status=302)
        session = self.account.sessions.get(str(data.get("dsWebAuthToken")))
        if session is None:
            return reply({"success": False, "error": "Invalid Session Token"}, status=421)
        if ends := self.account.trust_until([str(data.get("trustToken"))]):
            session.trusted, session.trust_ends = True, ends
        answer = reply(self._account_data(request.host, trusted=session.trusted))
        self._cookie(
            request, answer, TOKEN_COOKIE, self.account.grant_web_token(trusted=session.trusted)
        )
        for name in ("X-APPLE-WEBAUTH-USER", "X-APPLE-WEBAUTH-LOGIN", "X-APPLE-WEBAUTH-PCS-Photos"):
            self._cookie(request, answer, name, "v=1:t=" + secrets.token_urlsafe(24))
        if session.trusted:
            left = session.trust_ends - time.time()
            value = secrets.token_urlsafe(24)
            self._cookie(request, answer, "X-APPLE-WEBAUTH-HSA-TRUST", value, left)
        return answer

    async def validate(self, request: web.BaseRequest) -> web.Response:
        """Whether the cookies still stand for a session."""
        token = request.cookies.get(TOKEN_COOKIE, "")
        if token not in self.account.web_tokens:
            reason = "Invalid global session" if token else "Missing X-APPLE-WEBAUTH-TOKEN cookie"
            return reply({"success": False, "error": reason}, status=421)
        return reply(self._account_data(request.host, trusted=self.account.knows(token)))

    async def logout(self, request: web.BaseRequest) -> web.Response:
        """End this session."""
        self.account.web_tokens.pop(request.cookies.get(TOKEN_COOKIE, ""), None)
        return reply({"success": True})

    async def terms(self, _request: web.BaseRequest) -> web.Response:
        """The version of the terms in force."""
        return reply({"iCloudTerms": {"version": self.account.terms_version}})

    async def terms_done(self, request: web.BaseRequest) -> web.Response:
        """The user accepts the terms."""
        data = await body_of(request)
        self.account.terms_accepted = int(data.get("acceptedICloudTerms", 0))
        return reply({"success": True})

    async def web_access(self, _request: web.BaseRequest) -> web.Response:
        """Whether Advanced Data Protection is on, and a device has consented."""
        if not self.account.protected:
            return reply({"isICDRSDisabled": False})
        return reply({"isICDRSDisabled": True, "isDeviceConsentedForPCS": self.account.consented})

    async def ask_consent(self, _request: web.BaseRequest) -> web.Response:
        """Show a prompt on the user's devices."""
        self.account.consent_asked += 1
        return reply({"isDeviceConsentNotificationSent": True})

    async def request_pcs(self, _request: web.BaseRequest) -> web.Response:
        """Hand out the keys, once consented."""
        if self.account.consented:
            return reply({"status": "success", "message": "Granted"})
        return reply({"status": "failure", "message": "Requested the device to upload cookies."})

    async def storage(self, request: web.BaseRequest) -> web.Response:
        """The quota; Recently Deleted counts until it is purged."""
        if not self.account.knows(request.cookies.get(TOKEN_COOKIE, "")):
            return reply({"success": False, "error": "Invalid global session"}, status=421)
        used = await asyncio.to_thread(self.library.bytes_stored)
        return reply(
            {
                "storageUsageByMedia": [
                    {
                        "mediaKey": "photos",
                        "displayLabel": "Photos and Videos",
                        "displayColor": "ffcc00",
                        "usageInBytes": used,
                    }
                ],
                "storageUsageInfo": {
                    "compStorageInBytes": 0,
                    "usedStorageInBytes": used,
                    "totalStorageInBytes": self.quota,
                    "commerceStorageInBytes": self.quota,
                },
                "quotaStatus": {
                    "overQuota": used > self.quota,
                    "haveMaxQuotaTier": False,
                    "almost-full": used > self.quota * 0.9,
                    "paidQuota": True,
                },
            }
        )
