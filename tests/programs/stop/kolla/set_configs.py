#!/usr/bin/python3 -I
"""Copies what config.json names to its place, as root, and writes down what the service's command is."""
import json
import os
import pwd
import shutil

with open("/var/lib/kolla/config_files/config.json", encoding="utf-8") as file:
    config = json.load(file)
for entry in config["config_files"]:
    shutil.copyfile(entry["source"], entry["dest"])
    owner = pwd.getpwnam(entry["owner"])
    os.chown(entry["dest"], owner.pw_uid, owner.pw_gid)
    os.chmod(entry["dest"], int(entry["perm"], 8))
with open("/run_command", "w", encoding="utf-8") as file:
    file.write(config["command"] + "\n")
