"""Runs numpy's f2py on the facade and fails if it maps an argument to C float.

usage: python run_f2py.py FACADE.f90 FOLDER

f2py takes a kind it does not know for a single-precision number and says so only in its output; the extension
would then corrupt memory.
"""

import subprocess
import sys


def main(facade: str, folder: str) -> int:
    command = [sys.executable, "-m", "numpy.f2py", facade, "-m", "_kernels", "--build-dir", folder, "--lower"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    mapped = [line for line in done.stdout.splitlines() if 'mapped to C "float"' in line]
    if done.returncode != 0 or mapped:
        sys.stderr.write("\n".join(mapped) + "\n" if mapped else done.stdout)
        sys.stderr.write(f"{facade}: f2py failed; use only c_double and c_int in the facade\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
