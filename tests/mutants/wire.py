"""The defences of the wire to Docker and of the doctor: name, file, its line, the line without it, and its test."""

TLS, SSH = "tests/tools/test_docker_tls.py", "tests/tools/test_docker_ssh.py"

WIRE = [
    ("TLS that docker was told to speak is left out", "tools/docker/settings.py",
     're.sub("^tcp:", "https:", address)', "address", TLS),
    ("the public authorities vouch for any engine", "tools/docker/adapters.py",
     "def cert_verify(self, *_: Any) -> None:", "def unused(self, *_: Any) -> None:", TLS),
    ("a change is sent again in another version", "tools/docker/transport.py",
     "                if write:\n                    raise\n", "", "tests/tools/test_docker_versions.py"),
    ("an alert in the place of an answer proves that nothing was sent", "tools/kit/failures.py",
     "if reason and not (write and may_have_left(error)):", "if reason:", "tests/tools/kit/test_failures.py"),
    ("a revoked host key is as good as another", "tools/docker/ssh_config.py",
     "if base64.b64encode(entry.key.asbytes()).decode() not in revoked:", "if True:", SSH),
    ("an option of ssh that cannot be obeyed is passed over", "tools/docker/ssh_config.py",
     'if found.get(name, "none").lower() not in ("none", "ssh_auth_sock"):', "if False:", SSH),
    ("what the far side prints later says that nothing was sent", "tools/docker/ssh.py",
     "(None if self.begun else _last_words(self._sock, self.service))", "_last_words(self._sock, self.service)", SSH),
    ("what a host says of its trouble is trusted", "tools/docker/hosts.py",
     "HostDownInItsWords if error.outside else HostDown", "HostDown", SSH),
    ("what nobody has signed is pulled", "tools/docker/pull.py",
     "if ctx.client.options.only_signed:", "if False:", "tests/tools/test_docker_registry.py"),
    ("the doctor takes any key for a good one", "bot/doctor.py",
     'await model.trouble() if isinstance(model, Claude) else ""', '""', "tests/bot/test_doctor.py"),
]  # fmt: skip
