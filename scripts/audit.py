"""Look for known vulnerabilities in the locked dependencies: `make audit`.

pip-audit queries the package index for each version. When the index has no vulnerability data, or
cannot be reached, this prints NOT AUDITED and does not fail.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parent.parent / "requirements-dev.lock"  # includes requirements.lock


def main() -> int:
    """Run pip-audit on the lock file, print the result, and return the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip"]
    command += ["--requirement", str(LOCK), "--format", "json", "--progress-spinner", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    lines, status = verdict(done.stdout, done.stderr)
    print("\n".join(lines))  # noqa: T201
    return status


def verdict(report: str, errors: str) -> tuple[list[str], int]:
    """Return the lines to print for a report of pip-audit, and the exit status.

    The status is 1 when a dependency has a known vulnerability, else 0.
    """
    try:
        found: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        reason = (errors.strip().splitlines() or ["no answer"])[-1]
        return [f"NOT AUDITED: pip-audit could not query the package index: {reason}"], 0
    audited = [each for each in found if "skip_reason" not in each]
    if not audited:
        return ["NOT AUDITED: the package index has no vulnerability data"], 0
    lines = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for each in audited
        for vulnerability in each["vulns"]
    ]
    status = 1 if lines else 0
    lines += [f"not audited: {each['name']}" for each in found if "skip_reason" in each]
    lines.append(f"{len(audited)} of {len(found)} dependencies audited")
    return lines, status


if __name__ == "__main__":
    sys.exit(main())
