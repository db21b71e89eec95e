const seen = new Set();
for (let i = 0; i < 1000; i++) {
  const value = Math.random();
  if (!(value >= 0 && value < 1)) throw new Error(`Math.random gave ${value}`);
  seen.add(value);
}
if (seen.size !== 1000) throw new Error(`only ${seen.size} of 1000 numbers differ`);
if (Math.random.name !== "random" || Math.random.length !== 0) throw new Error("not shaped like the original");
