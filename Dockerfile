# Jupyter with everything that requirements.txt lists. The clone itself is mounted, not copied, so what
# is edited, trained or drawn inside stays in it.
#
#   docker build -t ocr_simple .
#   docker run --rm -it --init -p 127.0.0.1:8888:8888 --user "$(id -u):$(id -g)" -v "$PWD:/work" ocr_simple
#
# On an NVIDIA GPU (the host has its driver and the NVIDIA Container Toolkit):
#
#   docker build -t ocr_simple:gpu --build-arg REQUIREMENTS=requirements-gpu.txt .
#   docker run --rm -it --init --gpus all -p 127.0.0.1:8888:8888 --user "$(id -u):$(id -g)" -v "$PWD:/work" ocr_simple:gpu
#
# then open the http://127.0.0.1:8888/... address that it prints. A command at the end runs instead of
# Jupyter: ... ocr_simple python train.py
#
# For jobs in a cloud, which have no clone to mount, `--target cloud` copies it, with what buckets,
# Beam and Dataflow need (docs/scale.md).

FROM python:3.11.14-slim-bookworm AS base

# `python` finds CUDA in the packages of requirements-gpu.txt; the driver comes in from the host
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    PYTHONDONTWRITEBYTECODE=1

ARG REQUIREMENTS=requirements.txt
COPY ${REQUIREMENTS} /tmp/
RUN pip install --no-cache-dir --no-deps -r "/tmp/${REQUIREMENTS}"
WORKDIR /work

FROM base AS cloud
COPY requirements-cloud.txt /tmp/
RUN pip install --no-cache-dir --no-deps -r /tmp/requirements-cloud.txt
COPY --from=apache/beam_python3.11_sdk:2.77.0 /opt/apache/beam /opt/apache/beam
COPY . /work
ENV PYTHONPATH=/work PYTHONUNBUFFERED=1
# Beam's workers begin here; jobs that name a command of their own do not
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM base
# the home is open to all, since --user may name any: Jupyter, Keras and Matplotlib write there
ENV HOME=/home/ocr
RUN useradd --uid 1000 --create-home --home-dir "$HOME" ocr && chmod 777 "$HOME"
USER 1000
EXPOSE 8888
CMD ["jupyter", "notebook", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
