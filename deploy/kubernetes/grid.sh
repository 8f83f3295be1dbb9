#!/bin/bash
# What rayjob.yaml runs on the head: `ser grid` on the cluster of which this pod is the head.
set -euo pipefail
cd "$SER_PROJECT"
exec ser grid --address "$(hostname -i):6379" "$@"
