"""A time by which a whole answer must be there. A socket's own timeout is of each read: a dripping answer evades it."""

from __future__ import annotations

import http.client
import io
import socket
import time
from typing import Any, cast


class _TimedReads(io.RawIOBase):
    """A socket's bytes, each read with what is left of the time."""

    def __init__(self, reads: io.RawIOBase, connected: socket.socket, deadline: float) -> None:
        super().__init__()
        self._reads, self._socket, self._deadline = reads, connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        return cast("int | None", self._reads.readinto(buffer))

    def close(self) -> None:
        self._reads.close()
        super().close()


class TimedResponse(http.client.HTTPResponse):
    """A response that raises TimeoutError where it is not whole at `deadline`, in seconds of time.monotonic."""

    def __init__(self, connected: socket.socket, *arguments: Any, deadline: float, **more: Any) -> None:
        super().__init__(connected, *arguments, **more)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), connected, deadline))
