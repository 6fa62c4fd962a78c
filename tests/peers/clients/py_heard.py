"""What a client was told and asked, in order, for steps to take from: as heard.mjs."""

import asyncio
import json

WAIT_S = 10


class Heard:
    def __init__(self) -> None:
        self._told: list[tuple[str, dict]] = []
        self._asked: list[dict] = []
        self._news = asyncio.Event()

    async def told(self, message: object) -> None:
        """Notes a notification, or what the transport found wrong."""
        if isinstance(message, Exception):
            self._told.append(("error", {"error": str(message)}))
        else:
            params = message.params
            self._told.append((message.method, plain(params) if params else {}))
        self._news.set()

    def asked(self, method: str, params: dict) -> None:
        self._asked.append({"method": method, "params": params})

    def take_asked(self, with_roots: bool) -> list[dict]:
        """The questions since the last time. Servers ask for the roots when they like, so those only when wanted."""
        asked = [one for one in self._asked if with_roots or one["method"] != "roots/list"]
        self._asked = []
        return asked

    def all(self, method: str) -> list[dict]:
        return [params for said, params in self._told if said == method]

    async def take(self, method: str, part: str) -> dict:
        """Takes the params of the first notification of the method in whose JSON `part` occurs, and waits for it."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    for at, (said, params) in enumerate(self._told):
                        if said == method and part in json.dumps(params, ensure_ascii=False):
                            del self._told[at]
                            return params
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise RuntimeError(f"no {method} with {json.dumps(part)} within {WAIT_S} s") from None


def plain(model) -> dict:
    """What came over the wire, without what the SDK added."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)
