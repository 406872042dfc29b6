import type { Words } from '../../client/steps.ts';

/** What is said when several documents are held against each other. */
export const TOGETHER_WORDS = {
  content: {
    text: { zh: '申报原文属于所给的回执之一', en: 'the content belongs to one of the receipts' },
    reason: {
      zh: '对原文的字节计算 SHA-256，与各回执声明的摘要比对。',
      en: 'SHA-256 of its bytes is looked for among the digests that the receipts state.',
    },
  },
  agree: {
    text: {
      zh: '同一日志、同一份数的树根处处相同',
      en: 'where the same log is shown at the same size, its root is the same',
    },
    reason: {
      zh: '所给文件中，凡签署过同一日志同一份数的，树根逐一比对；若有两个不同的树根，就是网关向不同的人展示了不同的日志，两份签名合在一起即为证据。',
      en: 'The roots of all the documents that sign the same size of the same log are compared: two different ones would mean that the gateway shows different logs to different people, and both signatures together would prove it.',
    },
  },
  root: {
    text: { zh: '由条目重新算出的树根与签名的树根相同', en: 'the entries give the root that the gateway signed' },
    reason: {
      zh: '从第一条起由全部叶子算出这一份数的树根，与检查点签署的比较；少一条、多一条、改一条或换了次序，树根都不会相同。',
      en: 'The root at that size is computed from all leaves from the first on, and compared with the one that the checkpoint signs: with one entry missing, added, altered or moved it would be another.',
    },
  },
  logged: {
    text: {
      zh: '回执所述的叶子就是日志中该序号的叶子',
      en: 'the leaf that the receipt states is the log’s at that index',
    },
    reason: {
      zh: '日志条目重新算出的叶子与回执声明的叶子比较；相同则机关收到的正是回执所说的申报。',
      en: 'The leaf computed from the log’s entry is compared with the one that the receipt states: when they are the same, what the office has is what the receipt is for.',
    },
  },
} as const satisfies Record<string, Words>;

export const NOTES = {
  cosignature: {
    zh: '检查点上有机关会签，未核对：请以 --keys 给出机关公钥',
    en: 'the checkpoint bears the office’s cosignature, which was not checked: give the office’s keys with --keys',
  },
  filer: {
    zh: '申报人的签名未核对：请以 --keys 给出申报人公钥',
    en: 'the filer’s own signature was not checked: give the filer’s keys with --keys',
  },
  older: {
    zh: '没有与之比较的较早检查点：请一并给出',
    en: 'there is no earlier checkpoint to compare with: give it too',
  },
  unconnected: {
    zh: '所给检查点份数不同，是否前后一致未核对：请给出一致性证明（.../consistency 的答复）或日志条目',
    en: 'checkpoints of different sizes were not compared: give a consistency proof (as .../consistency answers it) or the log’s entries',
  },
  partial: {
    zh: '条目不从第 0 条开始，只核对了叶子，没有算树根',
    en: 'the entries do not begin with index 0: their leaves were checked, and no root was computed',
  },
} as const;
