import type { Words } from './steps.ts';

/** What each step of computing an office's log again says. */
export const ENTRY_WORDS = {
  order: {
    text: { zh: '条目依序号相连，没有缺漏', en: 'the entries follow each other without a gap' },
    reason: {
      zh: '逐条查看序号、编号和形式：每条的序号应比前一条大一，编号应由机关和序号组成；缺一条或多一条都会断开。',
      en: 'Index, id and form are looked at, line by line: each index must be the one before plus one, and each id be made of office and index. One line less or more breaks the row.',
    },
  },
  entry: {
    text: { zh: '每条申报内容都与其叶子一致', en: 'every filing gives the leaf that its line states' },
    reason: {
      zh: '逐条由盐值、内容和收到时间重新计算叶子，与该条写明的叶子比较；内容改动一个字节，叶子就不同。',
      en: 'Each leaf is computed again from salt, content and time of arrival, and compared with the one in the line: with one byte of content changed it would be another.',
    },
  },
  signed: {
    text: {
      zh: '每条都由所给的申报人密钥签署',
      en: 'every entry is signed with one of the filers’ keys that you gave',
    },
    reason: {
      zh: '逐条（批量清单中的则按清单）用所给公钥验签；网关不能替申报人签名。',
      en: 'The signature of each filing, or of the upload that it came in, is checked with those public keys: the gateway cannot sign for a filer.',
    },
  },
} as const satisfies Record<string, Words>;

/** The one step that the national log has instead. */
export const NATIONAL_ENTRY_WORDS = {
  text: {
    text: { zh: '每条原文都与其叶子一致', en: 'every entry’s text gives the leaf that its line states' },
    reason: {
      zh: '逐条对原文的字节重新计算叶子，与该条写明的叶子比较；原文应是全国日志的三种条目之一。',
      en: 'Each leaf is computed again from the bytes of the text and compared with the one in the line; and each text must be of one of the three kinds that the national log has.',
    },
  },
} as const satisfies Record<string, Words>;
