#include <gtest/gtest.h>

#include "tools/egress/address-range.h"
#include "tools/egress/destination.h"

namespace glovebox::egress {
namespace {

bool isPublicText(std::string_view text) { return isPublic(tryParseAddress(text).value()); }

TEST(EgressAddress, OnlyThePublicInternetIsPublic) {
  for (auto text : {"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.167.255.255", "223.255.255.255",
                    "2606:4700::1111", "2a00:1450:4001:80b::200e", "::ffff:1.1.1.1"}) {
    EXPECT_TRUE(isPublicText(text)) << text;
  }
  for (auto text : {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
                    "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.1",
                    "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::127.0.0.1",
                    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::1.1.1.1", "100::1", "2001::1", "2001:2::1", "2001:db8::1", "2002:7f00:1::",
                    "2002:a00:1::", "3fff::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1"}) {
    EXPECT_FALSE(isPublicText(text)) << text;
  }
}

TEST(EgressAddress, IsReadInItsUsualFormsAlone) {
  EXPECT_EQ(tryParseAddress("::ffff:127.0.0.1"), tryParseAddress("127.0.0.1"));
  EXPECT_EQ(tryParseAddress("::ffff:7f00:1").value().text(), "127.0.0.1");
  for (auto text : {"", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.1.", "127.0.0.01", " 127.0.0.1", "127.0.0.1 ", "[::1]", "fe80::1%eth0", "1.2.3.4/8", "1.2.3.256"}) {
    EXPECT_FALSE(tryParseAddress(text)) << text;
  }
}

TEST(EgressAddress, RangesHoldWhatTheySay) {
  auto holds = [](std::string_view range, std::string_view address) { return tryParseRange(range).value().contains(tryParseAddress(address).value()); };
  EXPECT_TRUE(holds("10.0.0.0/9", "10.127.255.255"));
  EXPECT_FALSE(holds("10.0.0.0/9", "10.128.0.0"));
  EXPECT_TRUE(holds("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(holds("10.1.2.3", "10.1.2.2"));
  EXPECT_TRUE(holds("0.0.0.0/0", "255.1.1.1"));
  EXPECT_FALSE(holds("0.0.0.0/0", "2001:4860::1"));
  EXPECT_TRUE(holds("fd00::/8", "fdff::1"));
  EXPECT_TRUE(holds("::/0", "10.0.0.1"));
  for (auto text : {"10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "ten/8"}) EXPECT_FALSE(tryParseRange(text)) << text;
}

std::string parsed(std::string_view url) {
  auto result = parseDestination(url);
  if (auto why = std::get_if<std::string>(&result)) return "no: it " + *why;
  auto& found = std::get<Destination>(result);
  return found.origin() + " " + found.hostField() + " " + found.target + (found.address ? " at " + found.address->text() : "");
}

TEST(EgressDestination, IsWhatTheUrlSays) {
  EXPECT_EQ(parsed("http://example.com"), "http://example.com example.com /");
  EXPECT_EQ(parsed("https://Example.COM:443/a?b#c"), "https://example.com example.com /a?b");
  EXPECT_EQ(parsed("https://example.com:80?x"), "https://example.com:80 example.com:80 /?x");
  EXPECT_EQ(parsed("http://127.0.0.1:8080/x"), "http://127.0.0.1:8080 127.0.0.1:8080 /x at 127.0.0.1");
  EXPECT_EQ(parsed("http://[2606:4700:0::1111]/"), "http://[2606:4700::1111] [2606:4700::1111] / at 2606:4700::1111");
  EXPECT_EQ(parsed("http://[::ffff:127.0.0.1]/"), "http://127.0.0.1 127.0.0.1 / at 127.0.0.1");
  EXPECT_EQ(parsed("http://a_b.xn--nxasmq6b/"), "http://a_b.xn--nxasmq6b a_b.xn--nxasmq6b /");
}

TEST(EgressDestination, WhatCouldMeanTwoThingsIsNone) {
  for (auto url : {"", "example.com", "//example.com", "HTTP://example.com", "ftp://example.com", "file:///etc/passwd", "http://", "http:///x", "http://a b/", "http://a\tb/",
                   "http://a\r\nHost: b/", "http://a\\b/", "http://\xc3\xa4/", "http://user@a/", "http://user:pw@a/", "http://a:80@b/", "http://a:/", "http://a:0/", "http://a:65536/",
                   "http://a:8x/", "http://a:80:90/", "http://[::1/", "http://[127.0.0.1]/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://2130706433/", "http://0x7f.1/",
                   "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.0.1./", "http://1.2.3.4.5/", "http://a../", "http://.a/", "http://a./", "http://-a/",
                   "http://a-/", "http://a%00b/", "http://a,b/", "http://a*/"}) {
    EXPECT_TRUE(parsed(url).starts_with("no: it ")) << url << " is " << parsed(url);
  }
  EXPECT_TRUE(parsed("http://" + std::string(64, 'a') + "/").starts_with("no"));
  EXPECT_TRUE(parsed("http://a/" + std::string(URL_BYTES_MAX, 'a')).starts_with("no"));
}

}  // namespace
}  // namespace glovebox::egress
