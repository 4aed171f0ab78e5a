"""A stop that threads look out for, and that ends their waiting for a server that is silent."""

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
    """Set once, when what threads are asking for is not wanted any more.

    A request that waits for its answer looks at no event, and may wait for minutes. So the
    connections of the sessions that are handed out here are cut off when it is set: what waits
    for them fails as it does when the server goes away.
    """

    def __init__(self) -> None:
        """Be ready; nothing has stopped yet."""
        super().__init__()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._noting = threading.Lock()
        self._thread = threading.local()

    def set(self) -> None:
        """Tell whoever looks, and cut off whoever waits."""
        super().set()
        with self._noting:
            for connected in self._sockets:
                _cut_off(connected)

    def session(self) -> requests.Session:
        """Return this thread's session: one is not promised to be safe to share."""
        if not hasattr(self._thread, "session"):
            session = requests.Session()
            session.mount("https://", _NotingAdapter(self._note))
            session.mount("http://", _NotingAdapter(self._note))
            self._thread.session = session
        found: requests.Session = self._thread.session
        return found

    def _note(self, connected: socket.socket) -> None:
        with self._noting:
            self._sockets.add(connected)
            if self.is_set():  # in between its thread's look and this
                _cut_off(connected)


class _NotingAdapter(HTTPAdapter):
    """Tells `note` of each socket that it connects, straight or through a proxy."""

    def __init__(self, note: Callable[[socket.socket], None]) -> None:
        self._pools = {
            "http": _noting(HTTPConnectionPool, note),
            "https": _noting(HTTPSConnectionPool, note),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **named: Any) -> None:
        super().init_poolmanager(*args, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*args, **named)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _noting(
    pool: type[HTTPConnectionPool], note: Callable[[socket.socket], None]
) -> type[HTTPConnectionPool]:
    """Return the kind of pool whose connections tell of their sockets."""
    kind: Any = pool.ConnectionCls

    class Connection(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            note(self.sock)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _cut_off(connected: socket.socket) -> None:
    with suppress(OSError):
        # Not the method of a TLS socket, which would take its state from under its reader.
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
