"""The node's certificates: who may speak as whom."""

import base64
import stat
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from dev.cluster import kubeconfig
from dev.cluster.node import pki


def _certificate(text: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(base64.b64decode(text))


def test_every_program_gets_a_kubeconfig_with_its_own_name(tmp_path: Path) -> None:
    pki.write_pki(tmp_path)
    for program, (name, group) in pki.USERS.items():
        user = kubeconfig.read(tmp_path / f"{program}.conf")
        subject = _certificate(user.certificate).subject
        assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name
        groups = [a.value for a in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
        assert groups == ([group] if group else [])
        assert user.server == "https://10.213.77.2:6443"


def test_every_certificate_is_signed_by_the_one_authority(tmp_path: Path) -> None:
    admin = pki.write_pki(tmp_path)
    authority = _certificate(admin.authority)
    _certificate(admin.certificate).verify_directly_issued_by(authority)
    server = x509.load_pem_x509_certificate((tmp_path / "apiserver.crt").read_bytes())
    server.verify_directly_issued_by(authority)


def test_the_api_server_is_known_by_every_name_that_it_is_called() -> None:
    server = pki.issue(pki.make_authority(), "kube-apiserver", hosts=pki.api_server_hosts()).certificate
    names = server.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert isinstance(names, x509.SubjectAlternativeName)
    assert "kubernetes.default.svc.cluster.local" in names.get_values_for_type(x509.DNSName)
    addresses = {str(a) for a in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "10.96.0.1", "10.213.77.2"}


def test_keys_are_closed_to_others_and_new_every_time(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = pki.write_pki(tmp_path / "a"), pki.write_pki(tmp_path / "b")
    assert first.key != second.key
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "a").iterdir()} == {0o600}
