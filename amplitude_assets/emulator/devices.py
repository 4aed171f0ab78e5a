"""What the export says of the device and the app on it, as JSON text."""

from functools import lru_cache
from typing import NamedTuple

from amplitude_assets.emulator.noise import I64, Mask
from amplitude_assets.emulator.people import ANDROID, IOS, WEB
from amplitude_assets.emulator.releases import version_name
from amplitude_assets.emulator.text import json_text


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

DEVICES: dict[int, tuple[Device, ...]] = {
    WEB: (
        Device("Web", "Chrome", "Mac OS X", "Mac", _NO_CARRIER, "amplitude-ts/2.16.1", 33, 0.68),
        Device("Web", "Chrome", "Windows", "Windows", _NO_CARRIER, "amplitude-ts/2.11.9", 33, 0.68),
        Device("Web", "Safari", "Mac OS X", "Mac", _NO_CARRIER, "amplitude-ts/2.16.1", 7, 0.075),
        Device("Web", "Firefox", "Linux", None, _NO_CARRIER, "amplitude-js/8.21.9", 26, 0.69),
        Device("Web", "Edge", "Windows", "Windows", _NO_CARRIER, "amplitude-ts/2.16.1", 12, 0.75),
        Device("Web", "Chrome Mobile", "Samsung Galaxy", "Samsung Galaxy S21", _NO_CARRIER, "amplitude-ts/2.16.1", 33, 0.68),
        Device("Web", "Chrome", "Chrome OS", None, _NO_CARRIER, "segment", 33, 0.68),
    ),
    IOS: (
        Device("iOS", "ios", "Apple iPhone", "Apple iPhone 12", _CARRIERS, "amplitude-swift/1.11.3", 7, 0.07),
        Device("iOS", "ios", "Apple iPhone", "Apple iPhone 15 Pro", _CARRIERS, "amplitude-swift/1.13.0", 7, 0.07),
        Device("iOS", "ios", "Apple iPad", "Apple iPad Air", _NO_CARRIER, "amplitude-ios/8.17.2", 7, 0.07),
    ),
    ANDROID: (
        Device("Android", "android", "Samsung Galaxy Phone", "Samsung Galaxy S23", _CARRIERS, "amplitude-android/1.16.8", 4.4, 0.065),
        Device("Android", "android", "Google Pixel Phone", "Google Pixel 7", _CARRIERS, "amplitude-kotlin/1.16.8", 4.4, 0.065),
        Device("Android", "android", "Xiaomi Phone", "Xiaomi Redmi Note 12", _CARRIERS, "amplitude-android/2.39.8", 4.4, 0.065),
    ),
}  # fmt: skip

_SERVER_LIBRARY = "http/2.0"


def is_segment(platform: I64, habit: I64) -> Mask:
    """Whether events come by way of Segment: the last kind of browser."""
    through: Mask = (platform == WEB) & (habit % len(DEVICES[WEB]) == len(DEVICES[WEB]) - 1)
    return through


def device_text(platform: int, habit: int, release: int, start_release: int) -> bytes:
    """The device columns of a visit, from `platform` to `start_version`; `habit` picks the kind."""
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
    return _columns(
        platform=device.platform,
        os_name=device.os_name,
        os_version=f"{version:.1f}" if is_app else f"{version:.0f}",
        device_family=device.family,
        device_type=device.type,
        device_carrier=device.carriers[carrier % len(device.carriers)],
        library=device.library,
        version_name=version_name(release) if is_app else None,
        start_version=version_name(start_release) if is_app else None,
    )


def server_text() -> bytes:
    """The device columns of an event sent by a server: all null but the library."""
    return _columns(library=_SERVER_LIBRARY)


def _columns(
    platform: str | None = None,
    os_name: str | None = None,
    os_version: str | None = None,
    device_family: str | None = None,
    device_type: str | None = None,
    device_carrier: str | None = None,
    library: str | None = None,
    version_name: str | None = None,
    start_version: str | None = None,
) -> bytes:
    columns = {
        "platform": platform,
        "os_name": os_name,
        "os_version": os_version,
        "device_family": device_family,
        "device_type": device_type,
        "device_carrier": device_carrier,
        "device_brand": None,
        "device_manufacturer": None,
        "device_model": None,
        "library": library,
        "version_name": version_name,
        "start_version": start_version,
    }
    return json_text(columns)[1:-1]
