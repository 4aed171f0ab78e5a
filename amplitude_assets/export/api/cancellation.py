"""Cancel the requests of all threads, including those blocked on a silent server."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool


class Stop(threading.Event):
    """An event that cancels the requests of all threads when it is set.

    A blocked read cannot check an event, and may last for minutes. Therefore `set` also shuts down
    every socket that the event's sessions have opened, and blocked requests fail with a connection
    error.
    """

    def __init__(self) -> None:
        """Create the event, not set."""
        super().__init__()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._sockets_lock = threading.Lock()
        self._thread = threading.local()

    def set(self) -> None:
        """Set the event and shut down every open socket."""
        super().set()
        with self._sockets_lock:
            for connected in self._sockets:
                _shut_down(connected)

    def session(self) -> requests.Session:
        """Return this thread's session; `requests` does not promise that sessions can be shared."""
        if not hasattr(self._thread, "session"):
            session = requests.Session()
            session.mount("https://", _SocketTrackingAdapter(self._track))
            session.mount("http://", _SocketTrackingAdapter(self._track))
            self._thread.session = session
        found: requests.Session = self._thread.session
        return found

    def _track(self, connected: socket.socket) -> None:
        with self._sockets_lock:
            self._sockets.add(connected)
            if self.is_set():  # `set` ran before this socket was tracked
                _shut_down(connected)


class _SocketTrackingAdapter(HTTPAdapter):
    """Calls `track` with each socket that it connects, directly or through a proxy."""

    def __init__(self, track: Callable[[socket.socket], None]) -> None:
        self._pools = {
            "http": _tracking_pool(HTTPConnectionPool, track),
            "https": _tracking_pool(HTTPSConnectionPool, track),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*args, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _tracking_pool(
    pool: type[HTTPConnectionPool], track: Callable[[socket.socket], None]
) -> type[HTTPConnectionPool]:
    """Return a subclass of `pool` whose connections call `track` with their sockets."""
    kind: Any = pool.ConnectionCls

    class Connection(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            track(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):
        # `SSLSocket.shutdown` would drop the TLS state that a blocked reader is still using.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
