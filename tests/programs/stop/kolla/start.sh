#!/bin/bash
# The start of a container in Kolla's shape: root puts the configuration in its place, and the service takes over.
set -o errexit
sudo -E /kolla/set_configs.py
read -r command </run_command
echo "Running command: '$command'"
# The command is words.
# shellcheck disable=SC2086
exec $command
