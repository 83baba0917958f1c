// Trains a byte-level BPE vocabulary with Hugging Face's library: node huggingface-train.js TEXT FOLDER PATTERN. PATTERN is the regular expression of the pre-tokens. Its binding has no option for the
// size of the vocabulary: 30,000. Writes tokenizer.json into FOLDER, and one line of JSON.
const fs = require('fs');
const path = require('path');
const { Tokenizer } = require('tokenizers');

const [text, folder, pattern] = process.argv.slice(2);
const tokenizer = Tokenizer.fromString(JSON.stringify({
  version: '1.0',
  added_tokens: [],
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
    ],
  },
  model: { type: 'BPE', vocab: {}, merges: [] },
}));

const cpu = process.cpuUsage();
const start = process.hrtime.bigint();
tokenizer.train([text]);
const seconds = Number(process.hrtime.bigint() - start) / 1e9;
const { user, system } = process.cpuUsage(cpu);
const peakBytes = 1024 * Number(/VmHWM:\s+(\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]);
fs.mkdirSync(folder, { recursive: true });
tokenizer.save(path.join(folder, 'tokenizer.json'));
console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakBytes, vocabulary: tokenizer.getVocabSize(true), preTokens: 0 }));
