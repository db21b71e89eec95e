# The egress process: the only one that opens connections, for workers that may make requests.
#
# On one side sits glovebox-egress (tools/egress/), jailed, and hostile as soon as some server has broken its parser; on the other the program
# that started it. The line is a Unix stream socket that the process was born with; its bootstrap capability, at the program's end, is an
# EgressHost. When the line drops the process ends, and with it every connection.
#
# Policy and secrets travel on the line and not as arguments, which all users of a machine can read.

@0xb7c1e95a40d2f368;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "call.capnp".Target;

interface EgressHost {
  policy @0 () -> (policy :EgressPolicy);
  # Asked for once, before the process shuts itself in.

  started @1 (layersInForce :UInt32, outbound :Target);
  # Called once, when it is shut in: a set of policy::Layer, and what answers `fetch` (a call with the path ["fetch"] and one Request) with
  # a Response (PlatformObject in value.capnp; with a socket where the Request asked for one), and `connect`, called with "host:port" and "on" (TLS) or "off", with
  # [readable, writable, "host:port"]. A request that may not be made is thrown a TypeError that says why.
}

struct EgressPolicy {
  # What is not allowed here is refused.

  allow @0 :List(Origin);
  allowPrivate @1 :List(Text);
  # "10.1.0.0/16", "::1": addresses to connect to although they are not of the public internet.
  secrets @2 :List(Secret);
  nameservers @3 :List(Text);
  # "127.0.0.1:5353". Empty: those of the machine (/etc/resolv.conf).
  authorities @4 :Text;
  # Certificates in PEM that are trusted besides the machine's own.

  struct Origin {
    secure @0 :Bool;       # https, otherwise http
    host @1 :Text;         # "api.example.com", or "*.example.com" for all below it, in lower case; "[::1]"
    port @2 :UInt16;       # 0: any
    methods @3 :List(Text);   # empty: all but CONNECT, which is for connect()
  }

  struct Secret {
    name @0 :Text;
    value @1 :Text;
    hosts @2 :List(Text);  # as in Origin; it goes to no other
    plain @3 :Bool;        # also without TLS
  }
  # A header value may name it: "Bearer {{secret:NAME}}". Workers never see the value.
}
