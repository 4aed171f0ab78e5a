"""Launch Airbyte's source against the benchmark's server, otherwise unchanged."""

import os
import sys
import time

from airbyte_cdk.entrypoint import launch
from source_amplitude import SourceAmplitude
from source_amplitude.streams import Events

Events.url_base = property(lambda _: os.environ["BENCH_ORIGIN"] + "/api/")

if __name__ == "__main__":
    print(f"BENCH-BEGAN {time.monotonic()}", file=sys.stderr, flush=True)
    launch(SourceAmplitude(), sys.argv[1:])
