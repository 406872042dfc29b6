import type { Words } from './steps.ts';

/** What each step of verifying a tlog-proof says, beside those of the checkpoint in it. */
export const PROOF_WORDS = {
  proof: {
    text: { zh: '证明的形式完整', en: 'the proof has every part in its proper form' },
    reason: {
      zh: '依次为格式行、序号、由下往上的哈希，空行之后是检查点原文；形式不符就无从计算。',
      en: 'Format, index and the hashes from the leaf upwards, then after an empty line the checkpoint as it was signed: in another form nothing can be computed.',
    },
  },
  index: {
    text: { zh: '证明所说的正是这份申报的序号', en: 'the proof is about the index of this filing' },
    reason: {
      zh: '证明中的序号与申报的序号比较；日志中每个序号只有一份申报。',
      en: 'The index in the proof is compared with the filing’s: each index of a log has one filing.',
    },
  },
  leaf: {
    text: { zh: '申报内容算出的叶子与所述一致', en: 'the filing’s content gives the leaf that is stated' },
    reason: {
      zh: '由盐值和内容算出承诺，再与编号、机关、序号、收到时间一起算出叶子；换了内容就是另一个叶子。',
      en: 'Salt and content give the commitment; with id, office, index and time of arrival it gives the leaf: other content has another leaf.',
    },
  },
  inclusion: {
    text: { zh: '叶子在检查点所签署的树中', en: 'the leaf stands in the tree that the checkpoint signs' },
    reason: {
      zh: '从叶子出发，沿证明中的哈希逐层计算到树根，与检查点签署的树根比较；不在树中的叶子没有这样的路径。',
      en: 'From the leaf up the proof’s hashes a root is computed and compared with the one that the checkpoint signs: a leaf that is not in the tree has no such path.',
    },
  },
} as const satisfies Record<string, Words>;

/** What each step of verifying a national proof says, beside those of the proof and of the national checkpoint. */
export const NATIONAL_WORDS = {
  entry: {
    text: { zh: '附带的原文是全国日志的一个条目', en: 'the text that comes along is an entry of the national log' },
    reason: {
      zh: '全国日志的条目只有三种：机关日志的检查点正文、恢复登记、操作记录的链尾；附带的原文须完整地是其中一种。',
      en: 'The national log has three kinds of entries: the text of an office’s checkpoint, the record of a recovery, the end of the trail of acts. The text must be one of them, whole.',
    },
  },
  office: {
    text: { zh: '条目说的是这一机关的日志', en: 'the entry is about the log of this office' },
    reason: {
      zh: '条目第一行与该机关日志的名称比较；别的机关的条目在这里不算数。',
      en: 'Its first line is compared with the name of the office’s log: another office’s entry does not count here.',
    },
  },
} as const satisfies Record<string, Words>;

/** What each step of verifying a filing's own bytes says. */
export const CONTENT_WORDS = {
  form: {
    text: { zh: '申报原文的形式完整', en: 'the filing as submitted has its proper form' },
    reason: {
      zh: '原文应是一份 JWS（紧凑或展开形式），或批量清单中的一行及其清单；签名针对的就是这些字节。',
      en: 'It must be a JWS, compact or flattened, or a line of an upload with its manifest: these are the bytes that the filer’s signature is over.',
    },
  },
  line: {
    text: { zh: '这一行在申报人签署的批量清单中', en: 'the line stands in the manifest that the filer signed' },
    reason: {
      zh: '由这一行的字节算出叶子，沿路径逐层计算到树根，与清单中的树根比较；相同则清单的签名也覆盖这一行。',
      en: 'The line’s bytes are hashed to a leaf and taken up the path to a root, which is compared with the manifest’s: when they are the same, the signature over the manifest covers this line.',
    },
  },
  key: {
    text: {
      zh: '签名所用的密钥是所给的申报人密钥',
      en: 'the key of the signature is one of the filer’s that you gave',
    },
    reason: {
      zh: '签名头中的密钥编号与您提供的公钥逐一比对。',
      en: 'The key id in the signature is looked for among the public keys that you gave.',
    },
  },
  signature: {
    text: { zh: '申报人的签名有效', en: 'the filer’s signature is valid' },
    reason: {
      zh: '用该公钥对收到的原始字节验签；签名有效，则内容是申报人自己签的，不是网关代写的。',
      en: 'It is checked with that public key over the very bytes received: when it holds, the filer signed this, and the gateway did not make it up.',
    },
  },
} as const satisfies Record<string, Words>;
