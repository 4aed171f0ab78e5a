"""The device and app columns of the export, as JSON text."""

from functools import lru_cache
from typing import NamedTuple

from amplitude_assets.emulator.world.noise import I64, Mask
from amplitude_assets.emulator.world.people import ANDROID, IOS, WEB
from amplitude_assets.emulator.world.releases import version_name
from amplitude_assets.emulator.world.text import json_text


class Device(NamedTuple):
    """A kind of device. On the web `os_name` is the browser, as in real exports."""

    platform: str
    os_name: str
    family: str
    type: str | None
    carriers: tuple[str | None, ...]
    library: str
    first_os_version: float
    os_versions_a_release: float


_NO_CARRIER = (None,)
_CARRIERS = ("--", "Verizon", "Vodafone", "T-Mobile", None, "Orange F", "Jio")
_TS, _JS, _SEGMENT = "amplitude-ts/2.16.1", "amplitude-js/8.21.9", "segment"
_SWIFT, _KOTLIN, _JAVA = (
    "amplitude-swift/1.11.3",
    "amplitude-kotlin/1.16.8",
    "amplitude-android/2.39.8",
)
_GALAXY = "Samsung Galaxy Phone"

DEVICES: dict[int, tuple[Device, ...]] = {
    WEB: (
        Device("Web", "Chrome", "Mac OS X", "Mac", _NO_CARRIER, _TS, 33, 0.68),
        Device("Web", "Chrome", "Windows", "Windows", _NO_CARRIER, _TS, 33, 0.68),
        Device("Web", "Safari", "Mac OS X", "Mac", _NO_CARRIER, _TS, 7, 0.075),
        Device("Web", "Firefox", "Linux", None, _NO_CARRIER, _JS, 26, 0.69),
        Device("Web", "Edge", "Windows", "Windows", _NO_CARRIER, _TS, 12, 0.75),
        Device("Web", "Chrome Mobile", _GALAXY, "Samsung Galaxy S21", _NO_CARRIER, _TS, 33, 0.68),
        Device("Web", "Chrome", "Chrome OS", None, _NO_CARRIER, _SEGMENT, 33, 0.68),
    ),
    IOS: (
        Device("iOS", "ios", "Apple iPhone", "Apple iPhone 12", _CARRIERS, _SWIFT, 7, 0.07),
        Device("iOS", "ios", "Apple iPhone", "Apple iPhone 15 Pro", _CARRIERS, _SWIFT, 7, 0.07),
        Device("iOS", "ios", "Apple iPad", "Apple iPad Air", _NO_CARRIER, _SWIFT, 7, 0.07),
    ),
    ANDROID: (
        Device("Android", "android", _GALAXY, "Samsung Galaxy S23", _CARRIERS, _JAVA, 4.4, 0.065),
        Device("Android", "android", "Google Phone", "Pixel 7", _CARRIERS, _KOTLIN, 4.4, 0.065),
        Device("Android", "android", "Xiaomi Phone", "Redmi 12", _CARRIERS, _JAVA, 4.4, 0.065),
    ),
}

_COLUMNS = (
    "platform",
    "os_name",
    "os_version",
    "device_family",
    "device_type",
    "device_carrier",
    "device_brand",
    "device_manufacturer",
    "device_model",
    "library",
    "version_name",
    "start_version",
)


def is_segment(platform: I64, habit: I64) -> Mask:
    """Return which events are sent through Segment: those of the last kind of browser."""
    through: Mask = (platform == WEB) & (habit % len(DEVICES[WEB]) == len(DEVICES[WEB]) - 1)
    return through


def device_text(platform: int, habit: int, release: int, start_release: int) -> bytes:
    """Return the device columns of a visit, from `platform` to `start_version`.

    `habit` selects the kind of device and the carrier.
    """
    kinds = DEVICES[platform]
    kind, carrier = habit % len(kinds), habit // 7 % len(_CARRIERS)
    return _device_text(
        platform, kind, carrier, release, start_release if platform != WEB else release
    )


@lru_cache(maxsize=20_000)
def _device_text(platform: int, kind: int, carrier: int, release: int, start_release: int) -> bytes:
    device = DEVICES[platform][kind]
    is_app = platform != WEB
    version = device.first_os_version + device.os_versions_a_release * release
    filled = {
        "platform": device.platform,
        "os_name": device.os_name,
        "os_version": f"{version:.1f}" if is_app else f"{version:.0f}",
        "device_family": device.family,
        "device_type": device.type,
        "device_carrier": device.carriers[carrier % len(device.carriers)],
        "library": device.library,
        "version_name": version_name(release) if is_app else None,
        "start_version": version_name(start_release) if is_app else None,
    }
    return _text(filled)


def server_text() -> bytes:
    """Return the device columns of an event sent by a server: all null except the library."""
    return _text({"library": "http/2.0"})


def _text(filled: dict[str, str | None]) -> bytes:
    return json_text(dict.fromkeys(_COLUMNS) | filled)[1:-1]
