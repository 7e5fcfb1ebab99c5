"""Which way leads to an address, by the variables that clusters set."""

import httpx
import pytest

from gather_clients.configuration import ConfigurationError
from gather_clients.http_calls.proxies import is_direct, proxy_for
from gather_clients.http_calls.ways import way_to

PROXY = "http://proxy.test:3128"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what this machine has."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("url", "no_proxy", "expected"),
    [
        ("https://models.test/v1", "", False),
        ("https://models.test/v1", "*", True),
        ("https://models.test/v1", "models.test", True),
        ("https://MODELS.test/v1", "a.test, Models.Test", True),
        ("https://a.models.test/v1", "models.test", True),
        ("https://a.models.test/v1", ".models.test", True),
        ("https://a.models.test/v1", "*.models.test", True),
        ("https://notmodels.test/v1", "models.test", False),
        ("https://models.test/v1", "models.test:443", True),
        ("https://models.test/v1", "models.test:8443", False),
        ("http://vllm.film:8000/v1", "localhost .film", True),
        ("http://vllm.film.svc:8000/v1", "", True),
        ("http://vllm.film.svc.cluster.local.:8000/v1", "", True),
        ("https://svc/v1", "", False),
        ("http://10.1.2.3:8000/v1", "10.0.0.0/8", True),
        ("http://11.1.2.3:8000/v1", "10.0.0.0/8", False),
        ("http://10.1.2.3:8000/v1", "10.1.2.3:8000", True),
        ("http://[fd00::5]:8000/v1", "fd00::/8", True),
        ("http://[fd00::5]:8000/v1", "[fd00::5]", True),
        ("http://[fd00::5]:8000/v1", "[fd00::5]:8000", True),
        ("http://[fe00::5]:8000/v1", "fd00::/8,[::1],::1", False),
        ("http://localhost:11434/v1", "", True),
        ("http://127.0.0.1:8080/v1", "", True),
        ("http://[::1]:8080/v1", "", True),
    ],
)
def test_no_proxy_names_what_is_reached_directly(url: str, no_proxy: str, expected: bool) -> None:
    """Names and all below them, addresses, networks, ports; and this machine always."""
    assert is_direct(httpx.URL(url), no_proxy) is expected


@pytest.mark.parametrize(
    "entry", ["fe11::/16", "fd07:b51a:cc66:f0::/64", "[::1]", "::1", "a:b:c", ":", "[", "//"]
)
async def test_no_entry_keeps_a_client_from_being_made(monkeypatch: pytest.MonkeyPatch, entry: str) -> None:
    """As users report of httpx, on clusters with IPv6: none of their programs started any more."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", f"localhost,{entry}")
    async with httpx.AsyncClient(**way_to("https://models.test/v1")) as client:
        assert [pattern.pattern for pattern in client._mounts] == ["all://"]


def test_the_variable_of_the_scheme_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a scheme in it a proxy speaks http, as with curl."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    assert proxy_for(httpx.URL("http://models.test")) is None
    assert proxy_for(httpx.URL("https://models.test")) == httpx.URL(PROXY)
    monkeypatch.setenv("ALL_PROXY", "https://all.test")
    assert proxy_for(httpx.URL("http://models.test")) == httpx.URL("https://all.test")


def test_a_named_proxy_goes_before_the_variables_but_not_before_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endpoint within the cluster stays reachable."""
    monkeypatch.setenv("HTTPS_PROXY", "http://other.test")
    monkeypatch.setenv("NO_PROXY", ".svc")
    assert proxy_for(httpx.URL("https://models.test"), PROXY) == httpx.URL(PROXY)
    assert proxy_for(httpx.URL("http://vllm.film.svc"), PROXY) is None


@pytest.mark.parametrize("proxy", ["socks5://u:sekret@p:1080", "http://", "http://p:sekret", "ftp://p"])
def test_a_proxy_that_can_never_work_is_named_without_its_address(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """It may hold a password."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ConfigurationError, match="HTTPS_PROXY or ALL_PROXY") as caught:
        way_to("https://models.test")
    assert "sekret" not in str(caught.value)


def test_a_transport_takes_the_place_of_a_proxy_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or tests would call one."""
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert way_to("https://models.test", httpx.MockTransport(lambda _: httpx.Response(200)))["proxy"] is None
