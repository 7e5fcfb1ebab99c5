"""Which addresses a webhook may reach: names, literals and their disguises."""

import re
import string
from ipaddress import ip_address, ip_network

import pytest

from gather_bridge.errors import DeliveryFailed, UrlRefused
from gather_bridge.webhooks.url_guard import Target, choose_address, is_public, parse_target
from gather_contracts import names

PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "172.15.255.255", "172.32.0.1", "100.63.255.255",
          "100.128.0.1", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e"]  # fmt: skip

NOT_PUBLIC = [
    "0.0.0.0", "0.1.2.3",  # this network
    "127.0.0.1", "127.1.2.3", "127.255.255.255",  # loopback
    "10.0.0.1", "10.96.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1",  # private
    "169.254.169.254", "169.254.0.1",  # link-local; the clouds' metadata
    "100.64.0.1", "100.127.255.254",  # carrier-grade NAT
    "192.0.0.1", "192.0.2.1", "198.51.100.7", "203.0.113.9", "198.18.0.1", "198.19.255.255",
    "192.88.99.1",  # 6to4 relays
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",  # multicast, reserved, broadcast
    "::", "::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8",  # mapped
    "::127.0.0.1",  # compatible
    "64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1",  # NAT64
    "2001::1", "2001:0:4136:e378::",  # Teredo
    "2001:db8::1", "3fff::1",  # documentation
    "2002:7f00:1::", "2002:a00:1::1",  # 6to4 of 127.0.0.1 and 10.0.0.1
    "fc00::1", "fd12:3456:789a::1",  # unique local
    "fe80::1", "febf::1", "fec0::1",  # link-local, site-local
    "ff02::1", "ff05::2",  # multicast
    "100::1", "5f00::1", "4000::1",  # discard, segment routing, unassigned
]  # fmt: skip

GOOD_URLS = {
    "https://app.example/hooks": Target("app.example", 443, "/hooks"),
    "https://app.example": Target("app.example", 443, "/"),
    "https://APP.Example:8443/a/b?film=salt%20road&x=[1]": Target(
        "app.example", 8443, "/a/b?film=salt%20road&x=[1]"
    ),
    "https://app.example?x=1": Target("app.example", 443, "/?x=1"),
    "https://app.example/@user": Target("app.example", 443, "/@user"),
    "https://93.184.216.34/": Target("93.184.216.34", 443, "/"),
    "https://[2606:4700:4700::1111]:444/x": Target("2606:4700:4700::1111", 444, "/x"),
    "https://xn--bcher-kva.example/": Target("xn--bcher-kva.example", 443, "/"),
}

BAD_URLS = [
    "", "https://", "https:///hooks", "app.example/hooks", "//app.example/hooks", "/hooks",
    "http://app.example/", "HTTPS://app.example/", "ftp://app.example/", "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL", "javascript:alert(1)", "https:app.example",
    "https://user@app.example/", "https://user:secret@app.example/", "https://app.example@127.0.0.1/",
    "https://app.example:443@127.0.0.1/", "https://app.example%40127.0.0.1/",
    "https://app.example\\@127.0.0.1/", "https://app.example\\.evil.example/", "https:\\\\app.example/",
    "https://app.example/#x", "https://app.example#@127.0.0.1/",
    "https://app.example/a b", "https://app.example/\r\nX-Evil: 1", "https://app.example/\tx", " https://app.example/",
    "https://app.example/\n", "https://app.example/\x00", "https://app.example/é", "https://äpp.example/",
    "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
    "https://app.example:0/", "https://app.example:65536/", "https://app.example:-1/", "https://app.example:/",
    "https://app.example:443:443/", "https://app.example:0x1bb/", "https://app.example:123456/",
    "https://[::1", "https://::1/", "https://[]/", "https://[::ffff:127.0.0.1%25lo]/", "https://[fe80::1%eth0]/",
    "https://[1:2:3]/", "https://[app.example]/", "https://[127.0.0.1]/",
    "https://" + "a" * 254 + "/", "https://app.example/" + "h" * 2048,
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    """What a webhook is for."""
    assert is_public(ip_address(address))
    assert str(choose_address([address], ())) == address


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_no_other_address_is_public(address: str) -> None:
    """Our own networks, protocols' own addresses, and everything that is one of them in disguise."""
    assert not is_public(ip_address(address))
    with pytest.raises(DeliveryFailed):
        choose_address([address], ())


def test_one_bad_address_among_good_ones_is_enough() -> None:
    """An attacker's name server decides about the order."""
    for addresses in (["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["8.8.8.8", "::1"]):
        with pytest.raises(DeliveryFailed, match="not public"):
            choose_address(addresses, ())


def test_a_host_without_an_address_is_refused() -> None:
    """Nothing to judge, nothing to call."""
    with pytest.raises(DeliveryFailed):
        choose_address([], ())


def test_an_allowed_network_is_allowed_and_its_neighbour_is_not() -> None:
    """For an application that lives in the same cluster."""
    allowed = [ip_network("10.20.0.0/16"), ip_network("fd00::/64")]
    assert str(choose_address(["10.20.3.4"], allowed)) == "10.20.3.4"
    assert str(choose_address(["fd00::7", "8.8.8.8"], allowed)) == "fd00::7"
    for address in ("10.21.0.1", "127.0.0.1", "fd00:0:0:1::1", "::ffff:10.20.3.4"):
        with pytest.raises(DeliveryFailed):
            choose_address([address], allowed)


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_plain_https_url_comes_apart(url: str) -> None:
    """The parts are what is connected to; no other parser reads the URL again."""
    assert parse_target(url) == GOOD_URLS[url]


@pytest.mark.parametrize("url", BAD_URLS, ids=ascii)
def test_any_other_url_is_refused(url: str) -> None:
    """Whatever two parsers could read in two ways."""
    with pytest.raises(UrlRefused):
        parse_target(url)


def test_there_are_at_least_sixty_vectors() -> None:
    """More than one of each kind."""
    assert len(BAD_URLS) + len(NOT_PUBLIC) >= 60


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "0x7f.1", "127.1", "localhost"])
def test_odd_spellings_of_an_address_are_names_that_must_be_resolved(host: str) -> None:
    """The system's resolver may know them as 127.0.0.1; what it says is what is judged."""
    assert parse_target(f"https://{host}/").host == host
    with pytest.raises(DeliveryFailed):
        choose_address(["127.0.0.1"], ())


def test_the_host_header_names_a_port_that_is_not_the_usual_one() -> None:
    """As RFC 9110 has it."""
    assert parse_target("https://app.example/").host_header == "app.example"
    assert parse_target("https://app.example:8443/").host_header == "app.example:8443"
    assert parse_target("https://[2606::1]:8443/").host_header == "[2606::1]:8443"


@pytest.mark.parametrize("form", ["https://app{}.example/", "https://app.example/{}", "https://app.example/?q={}",
                                  "https://app.example:{}/", "https://app.example{}"])  # fmt: skip
def test_what_the_resource_may_have_is_what_the_bridge_calls(form: str) -> None:
    """The rules of the CRD and the bridge's pattern agree about every character, wherever it stands."""
    for character in [*string.printable, "é", "0", "65535", "65536", "00443"]:
        url = form.format(character)
        is_allowed = all(
            (
                url.startswith("https://"),
                not re.match("^[^:]*://[^/?#]*@", url),
                "#" not in url,
                re.fullmatch(names.WEBHOOK_CHARACTERS_PATTERN, url, re.ASCII),
                re.fullmatch(names.WEBHOOK_HOST_PATTERN, url, re.ASCII),
            )
        )
        assert is_allowed is (re.fullmatch(names.WEBHOOK_URL_PATTERN, url, re.ASCII) is not None), url
