# galclass in a container, from the same pinned requirements as `make setup`:
#   docker build -t galclass .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/work" galclass snakemake -s /opt/galclass/Snakefile --cores all --configfile mine.yaml
FROM debian:12

# A compiler stays in the image: the merger program is built on the machine that simulates, for its processor.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates gcc gfortran libc6-dev make python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/galclass
# First the requirements alone, so that a change of the code does not download them again.
COPY requirements.lock ./
RUN python3 -m venv /opt/venv && /opt/venv/bin/python -m pip install --no-cache-dir --requirement requirements.lock
COPY . .
# The Python extension runs wherever the image does, so it keeps to instructions that every processor has.
RUN SKBUILD_CMAKE_DEFINE=GALCLASS_NATIVE=OFF sh workflow/setup.sh /opt/venv && rm -rf build

# Somebody who is not root, without a home here, may run it.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache
WORKDIR /work
CMD ["galclass", "--help"]
