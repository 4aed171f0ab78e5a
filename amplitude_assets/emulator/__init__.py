"""An emulator of Amplitude's Export API, and the simulated events that it serves."""

from amplitude_assets.emulator.api import API_KEY, SECRET_KEY
from amplitude_assets.emulator.faults.rules import Fault, FaultKind
from amplitude_assets.emulator.server import Emulator, Request, serve
from amplitude_assets.emulator.world.world import PROJECT_ID, Member, World, WorldSettings

__all__ = [
    "API_KEY",
    "PROJECT_ID",
    "SECRET_KEY",
    "Emulator",
    "Fault",
    "FaultKind",
    "Member",
    "Request",
    "World",
    "WorldSettings",
    "serve",
]
