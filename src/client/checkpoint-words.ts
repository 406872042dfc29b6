import type { Words } from './steps.ts';

/** What each step of verifying a checkpoint says. */
export const CHECKPOINT_WORDS = {
  signature: {
    text: {
      zh: '检查点由网关以该日志的名义签署',
      en: 'the gateway signed the checkpoint in the name of this log',
    },
    reason: {
      zh: '由日志名称和网关公钥算出密钥标识，与签名行比对，再对检查点正文验签；网关只要签过两个不同的版本，就留下了证据。',
      en: 'The key id is computed from the log’s name and the gateway’s public key and looked for in the signature lines, and the signature is checked over the text: a gateway that signs two versions leaves evidence of it.',
    },
  },
  form: {
    text: { zh: '检查点写明日志、份数和树根', en: 'the checkpoint names log, size and root' },
    reason: {
      zh: '正文第一至三行依次为日志名称、份数和树根；其后的扩展行中，“recovered” 行须写明保留份数、丢失份数和丢失的树根。',
      en: 'The text must have log, size and root in its first three lines, and each “recovered” line among those that follow the kept size, the lost size and the lost root.',
    },
  },
  origin: {
    text: { zh: '检查点属于所说的日志', en: 'the checkpoint is of the log in question' },
    reason: {
      zh: '正文第一行与应有的日志名称比较；另一机关的日志在这里证明不了什么。',
      en: 'The first line is compared with the log’s name: the log of another office proves nothing here.',
    },
  },
  cosignature: {
    text: { zh: '机关已会签这一检查点', en: 'the office cosigned this checkpoint' },
    reason: {
      zh: '由会签名称和机关公钥算出密钥标识，对会签时间连同检查点正文验签；签名有效，即机关以自己的密钥确认，当时看到的日志就是这一份。',
      en: 'The key id is computed from the cosigner’s name and the office’s public key, and the signature is checked over the time and the checkpoint’s text: with its own key the office confirms that this is the log it saw.',
    },
  },
  older: {
    text: { zh: '较早的检查点也由网关签署', en: 'the gateway signed the earlier checkpoint too' },
    reason: {
      zh: '以同样的方法验证较早的检查点；没有签名的树根不能作为对照。',
      en: 'The earlier checkpoint is verified in the same way: a root that nobody signed is nothing to compare with.',
    },
  },
  consistency: {
    text: {
      zh: '日志仍以较早检查点覆盖的全部内容开头',
      en: 'the log still begins with all that the earlier checkpoint covers',
    },
    reason: {
      zh: '用一致性证明中的同一组哈希分别算出旧树根和新树根，分别与两个签名的树根比较；改动、删除或调换旧内容后，不可能两者都对上。',
      en: 'From the same hashes of the consistency proof the old root and the new one are computed and compared with the signed ones: with anything changed, removed or moved among the old entries they cannot both come out.',
    },
  },
  recovered: {
    text: {
      zh: '较早的检查点没有落在已登记的恢复所丢失的范围内',
      en: 'the earlier checkpoint is not among what a recorded recovery lost',
    },
    reason: {
      zh: '检查点的扩展行登记了数据库恢复。较早的检查点大于保留的份数时无法衔接：其后的部分已经丢失，日志从保留处继续。请保存两个检查点，并联系运营方。',
      en: 'Extension lines record that an older database was gone on with. An earlier checkpoint beyond what was kept cannot be connected: what lay beyond is lost, and the log went on from what was kept. Keep both checkpoints and ask the operator.',
    },
  },
} as const satisfies Record<string, Words>;
