// Just enough of ipc/value.capnp to test the addon without the package's own codec: what it sends and what it gets.

export class External { constructor(index) { this.index = index; } }

const align = (bytes) => (bytes + 7) & ~7;

export function encode(value) {
  const nodes = [];
  const add = (v) => {
    const index = nodes.push(null) - 1;
    nodes[index] =
      v === undefined ? { tag: 0 } : v === null ? { tag: 1 } :
      typeof v === "boolean" ? { tag: 2, bit: v } : typeof v === "number" ? { tag: 3, number: v } :
      typeof v === "string" ? { tag: 4, text: new TextEncoder().encode(v) } :
      v instanceof External ? { tag: 19, ref: v.index } :
      Array.isArray(v) ? { tag: 11, items: v.map(add) } :
      { tag: 13, properties: Object.entries(v).map(([key, item]) => [add(key), add(item)]) };
    return index;
  };
  add(value);

  const bodyBytes = ({ text, items, properties }) =>
    text ? align(text.length + 1) : items ? 24 + align(items.length * 4) : properties ? 8 + properties.length * 8 : 0;
  const nodesBytes = 24 + nodes.length * 24;
  const view = new DataView(new ArrayBuffer(nodesBytes + nodes.reduce((sum, node) => sum + bodyBytes(node), 0)));
  const struct = (at, offset, data, pointers) => { view.setInt32(at, offset << 2, true); view.setUint16(at + 4, data, true); view.setUint16(at + 6, pointers, true); };
  const list = (at, to, elementSize, count) => { view.setInt32(at, ((to - at - 8) / 8) << 2 | 1, true); view.setUint32(at + 4, count << 3 | elementSize, true); };
  struct(0, 0, 0, 1);
  list(8, 16, 7, nodes.length * 3);
  struct(16, nodes.length, 2, 1);
  let end = nodesBytes;
  nodes.forEach((node, i) => {
    const at = 24 + i * 24, pointer = at + 16;
    view.setUint16(at, node.tag, true);
    if (node.bit) view.setUint8(at + 2, 1);
    if (node.tag === 3) view.setFloat64(at + 8, node.number, true);
    if (node.tag === 19) view.setUint32(at + 8, node.ref, true);
    if (node.text) {
      list(pointer, end, 2, node.text.length + 1);
      new Uint8Array(view.buffer).set(node.text, end);
    } else if (node.items) {
      struct(pointer, (end - pointer - 8) / 8, 1, 2);
      view.setUint32(end, node.items.length, true);
      list(end + 8, end + 24, 4, node.items.length);
      node.items.forEach((ref, n) => view.setUint32(end + 24 + n * 4, ref, true));
    } else if (node.properties) {
      list(pointer, end, 7, node.properties.length);
      struct(end, node.properties.length, 1, 0);
      node.properties.forEach(([key, item], n) => { view.setUint32(end + 8 + n * 8, key, true); view.setUint32(end + 12 + n * 8, item, true); });
    }
    end += bodyBytes(node);
  });
  return new Uint8Array(view.buffer);
}

export function decode(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const target = (at) => at + 8 + (view.getInt32(at, true) >> 2) * 8;
  const count = (at) => view.getUint32(at + 4, true) >>> 3;
  // A list of structs: where the first stands, how many, and how far apart.
  const structs = (at) => {
    const tag = target(at);
    return { first: tag + 8, count: view.getInt32(tag, true) >> 2, size: (view.getUint16(tag + 4, true) + view.getUint16(tag + 6, true)) * 8 };
  };
  const isNull = (at) => view.getBigUint64(at, true) === 0n;
  const nodes = structs(target(0));
  const text = (pointer, slack) => new TextDecoder().decode(bytes.subarray(target(pointer), target(pointer) + count(pointer) - slack));
  const properties = (pointer, into) => {
    if (isNull(pointer)) return into;
    const list = structs(pointer);
    for (let i = 0; i < list.count; i++) {
      const at = list.first + i * list.size;
      into[read(view.getUint32(at, true))] = read(view.getUint32(at + 4, true));
    }
    return into;
  };
  const read = (index) => {
    const at = nodes.first + index * nodes.size, pointer = at + 16;
    switch (view.getUint16(at, true)) {
      case 0: return undefined;
      case 1: return null;
      case 2: return (view.getUint8(at + 2) & 1) === 1;
      case 3: return view.getFloat64(at + 8, true);
      case 4: return text(pointer, 1);
      case 10: {
        const error = target(pointer);
        return { error: view.getUint16(error, true), message: view.getUint8(error + 2) & 2 ? read(view.getUint32(error + 8, true)) : "" };
      }
      case 11: {
        const array = target(pointer);
        return Array.from({ length: isNull(array + 8) ? 0 : count(array + 8) }, (_, i) => read(view.getUint32(target(array + 8) + i * 4, true)));
      }
      case 12: return Array.from({ length: count(pointer) }, (_, i) => view.getFloat64(target(pointer) + i * 8, true));
      case 13: return properties(pointer, {});
      case 19: return new External(view.getUint32(at + 8, true));
      default: throw new Error(`no test expects a node of kind ${view.getUint16(at, true)}`);
    }
  };
  return read(0);
}
