# Jupyter with everything that requirements.txt lists. The repository is mounted, not copied, so what you
# edit, train or draw inside stays in it.
#
#   docker build -t ocr_simple .
#   docker run --rm -it --init -p 127.0.0.1:8888:8888 --user "$(id -u):$(id -g)" -v "$PWD:/work" ocr_simple
#
# On an NVIDIA GPU (the host needs its driver and the NVIDIA Container Toolkit):
#
#   docker build -t ocr_simple:gpu --build-arg REQUIREMENTS=requirements/gpu.txt .
#   docker run --rm -it --init --gpus all -p 127.0.0.1:8888:8888 --user "$(id -u):$(id -g)" -v "$PWD:/work" ocr_simple:gpu
#
# Then open the address http://127.0.0.1:8888/... that it prints. A command at the end runs instead of
# Jupyter: ... ocr_simple python train.py
#
# Jobs in a cloud cannot mount the repository. For them, `--target cloud` copies it, and adds the packages for
# buckets, Beam and Dataflow (docs/scale.md).

FROM python:3.11.14-slim-bookworm AS base

# CUDA comes with the packages of requirements/gpu.txt; the driver comes from the host
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONDONTWRITEBYTECODE=1

# FriBiDi, with which Pillow draws Hebrew, Arabic, Thai, Hindi and others
RUN apt-get update && apt-get install -y --no-install-recommends libfribidi0 \
    && rm -rf /var/lib/apt/lists/*

ARG REQUIREMENTS=requirements.txt
COPY ${REQUIREMENTS} /tmp/locked.txt
RUN pip install --no-cache-dir --no-deps -r /tmp/locked.txt
WORKDIR /work

FROM base AS cloud
COPY requirements/cloud.txt /tmp/
RUN pip install --no-cache-dir --no-deps -r /tmp/cloud.txt
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
COPY . /work
ENV PYTHONPATH=/work PYTHONUNBUFFERED=1
# Beam starts its workers with this; jobs that name a command replace it
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM base
# --user may name any user, so the home is writable for all: Jupyter, Keras and Matplotlib write there
ENV HOME=/home/ocr
RUN useradd --uid 1000 --create-home --home-dir "$HOME" ocr && chmod 777 "$HOME"
USER 1000
EXPOSE 8888
CMD ["jupyter", "notebook", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
