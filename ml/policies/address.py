"""Whether a server could be asked at an address at all: what cannot be is refused before anything waits for it."""

from __future__ import annotations

import base64
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass

from ml.errors import MisstepError

EXPECTED = "http://HOST:PORT/v1"


def refuse_malformed(address: str) -> None:
    """Raises MisstepError for an address that names no host, or that no request can be made for."""
    fault = fault_of(address)
    if fault:
        shown = re.sub(r"//[^/?#]*@", "//...@", address)
        raise MisstepError(f"policy {shown!r}: {fault}, expected an address like {EXPECTED}")


def fault_of(address: str) -> str:
    """What is wrong with an address; empty where it is well formed, whoever may listen there."""
    if any(letter.isspace() or not letter.isprintable() for letter in address):
        return "a blank in an address"
    try:
        parts = urllib.parse.urlsplit(address)
        host, _port = parts.hostname, parts.port
        # As a look-up of the name does; it knows labels that are empty or too long.
        as_looked_up = (host or "").encode("idna").decode()
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return f"the scheme {parts.scheme!r}"
    if "@" in parts.netloc:
        return "a name or password in an address (a key is read from MISSTEP_POLICY_KEY)"
    if not (host or "").isascii():
        return f"a host that a request cannot name (write it as {as_looked_up})"
    if not parts.path.isascii():
        return f"a path that a request cannot name (write it as {urllib.parse.quote(parts.path, safe='/%')})"
    return "" if host else "no host"


def addresses_of(policy: str) -> list[str]:
    """The servers' addresses in a policy, which commas separate; what is no address stands alone."""
    return re.split(r",(?=https?://)", policy)


def without_address(name: str) -> str:
    """A policy's name without where its servers are: what it writes does not depend on that."""
    return f"server?{name.partition('?')[2]}" if name.startswith(("http://", "https://")) else name


@dataclass(frozen=True, slots=True)
class Proxy:
    """By way of which an address is asked. headers: what it wants to be told of who asks."""

    host: str
    port: int | None
    is_secure: bool
    headers: dict[str, str]

    def __str__(self) -> str:
        """Never with the name and password that may stand in its address."""
        return self.host if self.port is None else f"{self.host}:{self.port}"


def proxy_of(address: str) -> Proxy | None:
    """The proxy by way of which the environment has an address asked; None without one."""
    parts = urllib.parse.urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    found = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    headers = {}
    if found.username and found.password:
        who = f"{urllib.parse.unquote(found.username)}:{urllib.parse.unquote(found.password)}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(who.encode()).decode()}"
    return Proxy(found.hostname or "", found.port, found.scheme == "https", headers)
