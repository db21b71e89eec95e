# The gateway: the process that speaks HTTP with the outside, and the only one that does.
#
# On one side sits glovebox-gateway (tools/gateway/), jailed and hostile as soon as somebody has broken its parser; on the
# other the program that started it, which holds the capabilities that requests are to reach. The line is a Unix stream socket that
# the gateway was born with; its bootstrap capability, at the program's end, is a GatewayHost. When the line drops the gateway ends,
# and with it every connection that it serves.
#
# A request becomes a call on a Target with the path ["fetch"] and one argument, a platform object "Request" (value.capnp);
# what it returns is a "Response". A valid header `traceparent` becomes the call's `trace` and is no header any more. Bodies are streams in both directions: whoever reads asks for each chunk.

@0x9d2e4b7c51f0a836;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("glovebox::rpc");

using import "call.capnp".Target;

interface GatewayHost {
  started @0 (layersInForce :UInt32);
  # Called once, when the gateway is shut in and before it accepts the first connection: a set of policy::Layer. Where a required
  # layer is missing the gateway ends instead.

  route @1 (host :Text, listener :UInt8) -> (target :Target);
  # Who answers requests for this host; null for nobody, which is answered with 404. Called for each request and pipelined with
  # the call, so it should answer at once. `host` is what the client wrote, port included, in lower case: at most 255 letters, digits
  # and ".-_:[]", and anybody may write anything. `listener` counts the sockets that the gateway was given, from 0.
}
