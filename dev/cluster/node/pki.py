"""The node's keys and certificates: one authority, one certificate per program, made at each clean start."""

import base64
import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from dev.cluster import kubeconfig
from dev.cluster.kubeconfig import Credentials
from dev.cluster.node import layout

LIFETIME = dt.timedelta(days=3650)
CLOCK_SKEW = dt.timedelta(hours=1)
API_SERVER_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    layout.API_SERVICE_NAME,
    "localhost",
)
API_SERVER_ADDRESSES = ("127.0.0.1", layout.API_SERVICE_ADDRESS, layout.NODE_ADDRESS)
SERVER = f"https://{layout.NODE_ADDRESS}:{layout.API_PORT}"

USERS = {
    "admin": ("gather-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", None),
    "scheduler": ("system:kube-scheduler", None),
    "proxy": ("system:kube-proxy", None),
    "kubelet": (f"system:node:{layout.FIRST.name}", "system:nodes"),
    "kubelet-2": (f"system:node:{layout.SECOND.name}", "system:nodes"),
    "coredns": ("gather-coredns", "system:masters"),
    "netpol": ("gather-netpol", "system:masters"),
}
"""Kubeconfig to common name and group. The last two run as programs of the node, not as pods with a role."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        return key_pem(self.key)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, in the form that Go's programs read."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _name(common_name: str, organization: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def make_authority() -> Pair:
    """Return a new self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("gather-dev", None)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip
    builder = _builder(name, name, key).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    return Pair(builder.add_extension(usage, critical=True).sign(key, hashes.SHA256()), key)


def issue(
    authority: Pair, common_name: str, organization: str | None = None, hosts: Sequence[x509.GeneralName] = ()
) -> Pair:
    """Return a certificate signed by the authority: for a server if hosts are given, always for a client."""
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(_name(common_name, organization), authority.certificate.subject, key)
    if hosts:
        uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(uses), critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def api_server_hosts() -> list[x509.GeneralName]:
    """Return every name and address that the API server is reached by."""
    names = [x509.DNSName(name) for name in API_SERVER_NAMES]
    return [*names, *(x509.IPAddress(ipaddress.ip_address(address)) for address in API_SERVER_ADDRESSES)]


def credentials_of(authority: Pair, pair: Pair) -> Credentials:
    """Return what a kubeconfig for this user holds."""
    authority_pem, certificate, key = authority.certificate_pem(), pair.certificate_pem(), pair.key_pem()
    texts = [base64.b64encode(pem).decode() for pem in (authority_pem, certificate, key)]
    return Credentials(SERVER, *texts)


SECOND_FILES = {
    "ca.crt": "ca.crt",
    "kubelet-2.conf": "kubelet.conf",
    "proxy.conf": "proxy.conf",
    "netpol.conf": "netpol.conf",
}
"""What the second node has of the first one's keys, and under which name."""


def copy_to_second(first: Path, second: Path) -> None:
    """Give the second node's folder its keys, out of the first one's."""
    for name, its_name in SECOND_FILES.items():
        path = second / its_name
        path.touch(mode=0o600)
        path.write_bytes((first / name).read_bytes())


def write_pki(folder: Path) -> Credentials:
    """Write all keys, certificates and kubeconfigs of the node; return the admin's credentials."""
    authority = make_authority()
    server = issue(authority, "kube-apiserver", hosts=api_server_hosts())
    to_kubelet = issue(authority, "gather-apiserver", "system:masters")
    accounts = ec.generate_private_key(ec.SECP256R1())
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    files = {"ca.crt": authority.certificate_pem(), "ca.key": authority.key_pem(),
             "accounts.key": key_pem(accounts), "accounts.pub": public}  # fmt: skip
    for name, pair in (("apiserver", server), ("apiserver-kubelet", to_kubelet)):
        files |= {f"{name}.crt": pair.certificate_pem(), f"{name}.key": pair.key_pem()}
    users = {name: credentials_of(authority, issue(authority, *who)) for name, who in USERS.items()}
    files |= {f"{name}.conf": kubeconfig.render(user).encode() for name, user in users.items()}
    for name, content in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
    return users["admin"]
