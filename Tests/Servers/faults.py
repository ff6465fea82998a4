"""What a server for tests does wrong, and how often: see the servers that use it."""
import json
import os
import threading


class Faults:
    def __init__(self, path):
        self.path, self.stamp, self.rules, self.lock = path, None, {}, threading.Lock()

    def take(self, name):
        """The rule when the fault applies now (and one time less from now on), else None."""
        if not self.path:
            return None
        with self.lock:
            try:
                info = os.stat(self.path)
                stamp = (info.st_mtime_ns, info.st_ino)
                if stamp != self.stamp:
                    rules = json.load(open(self.path))
                    self.rules = {k: dict(v) if isinstance(v, dict) else {"times": v} for k, v in rules.items()}
                    self.stamp = stamp
            except FileNotFoundError:
                self.rules, self.stamp = {}, None
            rule = self.rules.get(name)
            if not rule or rule.get("times", 1) == 0:
                return None
            if rule.get("times", 1) > 0:
                rule["times"] = rule.get("times", 1) - 1
            return rule
