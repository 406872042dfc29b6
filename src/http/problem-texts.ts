import type { ErrorCode } from '../std/errors.ts';
import type { Text } from '../std/text.ts';

interface ProblemText {
  readonly title: Text;
  /** What happened and what to do about it; also the `detail` of a problem that brings none of its own. */
  readonly meaning: Text;
}

const text = (zh: string, en: string): Text => ({ zh, en });
const say = (title: Text, meaning: Text): ProblemText => ({ title, meaning });

/** The words of every problem, shown in answers and by `GET /v1/problems`. */
export const PROBLEM_TEXTS: Readonly<Record<ErrorCode, ProblemText>> = {
  malformed: say(
    text('请求格式错误', 'Malformed request'),
    text(
      '请求无法按 HTTP 或 UTF-8 的规则读取。请修正后再发送。',
      'The request cannot be read by the rules of HTTP or UTF-8. Correct it before sending it again.',
    ),
  ),
  'malformed-jws': say(
    text('签名报文格式错误', 'Malformed JWS'),
    text(
      '签名报文（JWS）的结构或受保护头不符合要求。',
      'The structure or the protected header of the JWS does not meet the requirements.',
    ),
  ),
  'malformed-json': say(
    text('JSON 格式错误', 'Malformed JSON'),
    text(
      '报文不是合法的 JSON，或含有重复成员、超出精确范围的数字等不接受的内容。',
      'The text is not valid JSON, or holds something that is not accepted, such as duplicate members or numbers beyond the exact range.',
    ),
  ),
  'invalid-parameter': say(
    text('请求参数有误', 'Invalid parameter'),
    text('路径或查询参数不符合要求，详见 errors。', 'A parameter in the path or the query is not allowed; see errors.'),
  ),
  unauthenticated: say(
    text('未通过身份认证', 'Not authenticated'),
    text(
      '缺少访问令牌，或令牌无效、已过期。请重新获取令牌。',
      'The access token is missing, invalid or expired. Get a new one.',
    ),
  ),
  'unknown-key': say(
    text('未登记的密钥', 'Unknown key'),
    text('签名所用的密钥（kid）未在本网关登记。', 'The key named by kid is not registered with this gateway.'),
  ),
  'bad-signature': say(
    text('签名验证失败', 'Bad signature'),
    text(
      '签名与内容或密钥不符，内容可能在签名后被改动。',
      'The signature does not match the content and key. The content may have changed after signing.',
    ),
  ),
  'wrong-audience': say(
    text('签名的接收方不符', 'Wrong audience'),
    text('签名头中的 aud 不是本网关的地址。', 'The aud in the protected header is not the URL of this gateway.'),
  ),
  'bulk-root-mismatch': say(
    text('批量清单与内容不符', 'Bulk manifest does not match'),
    text(
      '清单中的笔数或根哈希与收到的各行不一致，整批未受理。',
      'The count or the root in the manifest differs from the lines received; none of them was accepted.',
    ),
  ),
  'invalid-client': say(
    text('客户端认证失败', 'Client authentication failed'),
    text('客户端断言（private_key_jwt）无效。', 'The client assertion (private_key_jwt) is not valid.'),
  ),
  forbidden: say(
    text('无权进行此操作', 'Forbidden'),
    text('当前身份无权调用此接口。', 'This caller may not use this operation.'),
  ),
  'no-mandate': say(
    text('没有有效委托', 'No mandate'),
    text(
      '签名方不是申报人，也没有申报人对此类申报在当日有效的委托。',
      'The signer is not the filer and holds no mandate from the filer for this type that is in force today.',
    ),
  ),
  'not-registered': say(
    text('未在该机关登记', 'Not registered'),
    text('申报人在该期间未登记于受理机关。', 'The filer is not registered with the office for that period.'),
  ),
  'key-revoked': say(
    text('密钥已撤销', 'Key revoked'),
    text('签名所用的密钥已被撤销，请改用有效的密钥。', 'The signing key has been revoked. Use a key that is in force.'),
  ),
  'key-not-in-force': say(
    text('密钥不在有效期内', 'Key not in force'),
    text('签名所用的密钥尚未生效或已过有效期。', 'The signing key is not valid yet, or is no longer valid.'),
  ),
  'party-suspended': say(
    text('主体已停用', 'Party suspended'),
    text('该主体已被停用，请联系网关运维方。', 'This party is suspended. Ask the operator of the gateway.'),
  ),
  'not-found': say(
    text('未找到', 'Not found'),
    text('没有此资源，或当前身份无权查看。', 'There is no such resource, or this caller may not see it.'),
  ),
  'method-not-allowed': say(
    text('不支持该方法', 'Method not allowed'),
    text(
      '此路径不支持该 HTTP 方法，可用方法见 Allow。',
      'This path does not support that HTTP method; Allow lists those that it supports.',
    ),
  ),
  'not-acceptable': say(
    text('无法提供所要求的格式', 'Not acceptable'),
    text('本接口不提供 Accept 所要求的媒体类型。', 'This operation offers none of the media types in Accept.'),
  ),
  timeout: say(
    text('请求接收超时', 'Request timed out'),
    text('请求未在规定时间内全部到达。重新发送即可。', 'The request did not arrive in time. Send it again.'),
  ),
  conflict: say(
    text('与现有状态冲突', 'Conflict'),
    text('请求与该资源的现有内容冲突。', 'The request conflicts with the present content of the resource.'),
  ),
  'filing-conflict': say(
    text('同一申报已有不同内容', 'Filing conflict'),
    text(
      '同一申报人、申报类型和所属期（或单据号）的申报已受理，且内容不同。如需更正，请提交更正申报。',
      'A filing of the same filer, type and period (or reference) has already been accepted with different content. File a correction to change it.',
    ),
  ),
  superseded: say(
    text('该申报已被替代', 'Superseded'),
    text(
      '所引用的申报已被更正、补充或作废，请引用最新的一份。',
      'The filing referred to has already been corrected, supplemented or voided; refer to the newest one.',
    ),
  ),
  stale: say(
    text('进度已变化', 'Stale position'),
    text(
      '请求所依据的进度已过时，应答中给出正确的位置。',
      'The request is based on an old position; the answer gives the right one.',
    ),
  ),
  'too-large': say(
    text('内容过大', 'Too large'),
    text('请求正文超过此接口的上限。', 'The body exceeds the limit of this operation.'),
  ),
  'unsupported-media-type': say(
    text('不支持的媒体类型', 'Unsupported media type'),
    text(
      '请求正文的 Content-Type 或 Content-Encoding 不受支持。',
      'The Content-Type or Content-Encoding of the body is not supported.',
    ),
  ),
  'invalid-filing': say(
    text('申报内容有误', 'Invalid filing'),
    text(
      '申报未通过校验，全部问题列于 errors。',
      'The filing did not pass validation; errors lists everything that was found.',
    ),
  ),
  'invalid-resource': say(
    text('提交的内容有误', 'Invalid resource'),
    text('提交的内容未通过校验，详见 errors。', 'The body did not pass validation; see errors.'),
  ),
  'root-mismatch': say(
    text('根哈希不一致', 'Root mismatch'),
    text(
      '自行计算的根哈希与网关的不同：所拉取的数据有遗漏或改动。请重新读取并核对。',
      'The root that was computed differs from that of the log: something was missed or altered. Read the entries again and compare.',
    ),
  ),
  'rate-limited': say(
    text('请求过于频繁', 'Rate limited'),
    text(
      '已超过该主体的请求限额，请在 Retry-After 所示时间后再试。',
      'This party has exceeded its request limit. Try again after the time given in Retry-After.',
    ),
  ),
  'header-too-large': say(
    text('请求头过大', 'Header too large'),
    text('请求行与请求头合计超过上限。', 'The request line and the headers together exceed the limit.'),
  ),
  internal: say(
    text('内部错误', 'Internal error'),
    text(
      '网关内部出错，已记录。重发不会造成重复申报。',
      'Something failed inside the gateway and was recorded. Sending again never files twice.',
    ),
  ),
  overloaded: say(
    text('系统繁忙', 'Overloaded'),
    text(
      '当前请求过多，本次未受理。请在 Retry-After 所示时间后重发。',
      'There are too many requests at the moment; nothing was accepted. Send again after the time given in Retry-After.',
    ),
  ),
  unavailable: say(
    text('暂时不可用', 'Temporarily unavailable'),
    text(
      '暂时无法办理，请稍后重发。重发不会造成重复申报。',
      'The gateway cannot do this at the moment. Send again later; that never files twice.',
    ),
  ),
  'outcome-unknown': say(
    text('结果待确认', 'Outcome unknown'),
    text(
      '网关暂时无法确认是否已受理。请原样重发：如已受理，将返回原回执。',
      'It is not yet known whether this was accepted. Send the same request again: if it was accepted, the original receipt is returned.',
    ),
  ),
};
