// Encodes with one of the npm packages: node encode.js tokenizers|tiktoken TOKENIZER.JSON. Each line of the standard input names a file with a JSON array of texts; it is answered by a line of JSON.
// Making ready and reading are not timed.
const fs = require('fs');
const readline = require('readline');

const [library, file] = process.argv.slice(2);
const encode = library === 'tokenizers' ? huggingFace(file) : tiktoken(file);

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const texts = JSON.parse(fs.readFileSync(line, 'utf8'));
    const start = process.hrtime.bigint();
    const ids = await encode(texts);
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    let tokens = 0, hash = 0x811C9DC5 | 0;
    for (const text of ids) {
      tokens += text.length;
      for (const id of text)
        hash = Math.imul(hash ^ id, 0x01000193);
    }

    console.log(JSON.stringify({ seconds, tokens, hash: hash >>> 0 }));
  }
})();

function huggingFace(file) {
  // Without special tokens: the other libraries take their names in a text for text.
  const json = { ...JSON.parse(fs.readFileSync(file, 'utf8')), added_tokens: [] };
  const tokenizer = require('tokenizers').Tokenizer.fromString(JSON.stringify(json));
  return async texts => (await tokenizer.encodeBatch(texts, { addSpecialTokens: false })).map(encoding => encoding.getIds());
}

function tiktoken(file) {
  const { model, pre_tokenizer: preTokenizer } = JSON.parse(fs.readFileSync(file, 'utf8'));
  const pattern = preTokenizer.pretokenizers[0].pattern.Regex;
  const byteOf = byteAlphabet();
  const tokens = Object.entries(model.vocab).sort((a, b) => a[1] - b[1]).map(([text]) => Buffer.from([...text].map(c => byteOf.get(c))).toString('base64'));
  const { Tiktoken } = require('tiktoken');
  const tokenizer = new Tiktoken(`! 0 ${tokens.join(' ')}`, {}, pattern);
  return texts => texts.map(text => tokenizer.encode_ordinary(text));
}

// GPT-2's printable characters for the 256 bytes.
function byteAlphabet() {
  const byteOf = new Map();
  let next = 256;
  for (let b = 0; b < 256; b++) {
    const printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    byteOf.set(String.fromCharCode(printable ? b : next++), b);
  }

  return byteOf;
}
