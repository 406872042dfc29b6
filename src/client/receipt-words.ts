import type { Words } from './steps.ts';

/** What each step of verifying a receipt says. */
export const RECEIPT_WORDS = {
  form: {
    text: { zh: '回执的形式完整', en: 'the receipt has every part in its proper form' },
    reason: {
      zh: '逐项查看回执的组成部分及其编码；缺项、多项或写法不规范的回执，后面的计算都无从谈起。',
      en: 'Every member is looked at, with its encoding: on a receipt that lacks one, or spells it in another way, nothing can be computed.',
    },
  },
  key: {
    text: { zh: '签名所用的密钥是网关公布的密钥', en: 'the key of the signature is one that the gateway published' },
    reason: {
      zh: '签名头中的密钥编号与您保存的网关公钥逐一比对；不在其中的密钥，谁都可以自己造一个。',
      en: 'The key id in the signature is looked for among the gateway’s public keys that you have: any other key could be anybody’s.',
    },
  },
  signature: {
    text: { zh: '网关的签名有效', en: 'the gateway’s signature is valid' },
    reason: {
      zh: '用该公钥对收到的原始字节验签；只有持有对应私钥的网关能作出有效的签名，改动任何一位都会使其失效。',
      en: 'It is checked with that public key over the very bytes received: only the holder of the private key can make one that holds, and no bit can change under it.',
    },
  },
  issuer: {
    text: { zh: '签发者与声明一致', en: 'the issuer is the one that the statement names' },
    reason: {
      zh: '比较签名内容中的签发者、声明中的签发者（以及您指定的网关）；不相同，就是另一个网关的回执。',
      en: 'The issuer under the signature is compared with the one in the statement, and with the one that you asked for if you did: where they differ, it is another gateway’s receipt.',
    },
  },
  tree: {
    text: { zh: '声明在签名所覆盖的默克尔树中', en: 'the statement stands in the tree that the signature covers' },
    reason: {
      zh: '由声明的规范形式算出叶子，再沿回执中的路径逐层计算到树根，与签名中的树根比较；没有人能为另一份声明找到通向同一树根的路径。',
      en: 'The statement’s canonical form is hashed to a leaf and taken up the path to a root, which is compared with the signed one: nobody can find a path from another statement to the same root.',
    },
  },
  id: {
    text: { zh: '申报编号与机关、序号一致', en: 'the filing’s id is made of its office and index' },
    reason: {
      zh: '由机关代码和序号拼出编号，与声明中的编号比较；一个序号只有一份申报。',
      en: 'The id is put together from office and index and compared with the stated one: an index has one filing only.',
    },
  },
  digest: {
    text: { zh: '申报内容的摘要与回执一致', en: 'the filing’s content has the digest that the receipt states' },
    reason: {
      zh: '对申报内容的字节计算 SHA-256，与声明中的摘要比较；内容差一个字节，摘要就不同。',
      en: 'SHA-256 of the content’s bytes is compared with the stated digest: content that differs in one byte has another.',
    },
  },
  leaf: {
    text: { zh: '申报内容与机关日志中的叶子一致', en: 'the filing’s content opens its leaf in the office’s log' },
    reason: {
      zh: '由盐值和内容算出承诺，再与编号、机关、序号、收到时间一起算出叶子，与声明中的叶子比较；相同则机关日志中的这一位置只能是这份内容。',
      en: 'Salt and content give the commitment; with id, office, index and time of arrival it gives the leaf, which is compared with the stated one: when they are the same, that place of the log can hold this content only.',
    },
  },
  content: {
    text: { zh: '申报内容的各要素与回执一致', en: 'the filing’s own members are those that the receipt states' },
    reason: {
      zh: '申报内容中的类型、申报人、所属期、单据号、种类等逐项与声明比对，看网关有没有另作表述。',
      en: 'Type, filer, period, reference and kind in the content are compared with the statement one by one: the gateway must state nothing else than what was filed.',
    },
  },
} as const satisfies Record<string, Words>;
