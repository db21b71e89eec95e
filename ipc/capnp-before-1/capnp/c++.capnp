# Cap'n Proto's own /capnp/c++.capnp as its version 1 has it, for compilers before 1, whose own lacks allowCancellation and
# so would refuse our schemas. They ignore the annotation; there, a server says context.allowCancellation() instead.

@0xbdf87d7bb8304e81;
$namespace("capnp::annotations");

annotation namespace(file): Text;
annotation name(field, enumerant, struct, enum, interface, method, param, group, union): Text;
annotation allowCancellation(interface, method, file): Void;
