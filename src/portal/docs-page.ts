/** The page at `/docs`: Swagger UI, served from this gateway. All script is in files, so that the policy can forbid any other. */
export const DOCS_PAGE = `<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>申报 Shenbao · 接口文档 API</title>
<link rel="stylesheet" href="/assets/swagger-ui.css">
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
</head>
<body>
<p style="font-family: sans-serif; text-align: right; margin: 1rem 20px 0"><a href="/">首页 Home</a> · <a href="/v1/filing-types">申报类型与规则 Filing types and rules</a></p>
<div id="docs"></div>
<noscript><p>此页需要 JavaScript；接口说明的原文在 <a href="/openapi.json">/openapi.json</a>。This page needs JavaScript; the description itself is at <a href="/openapi.json">/openapi.json</a>.</p></noscript>
<script src="/assets/swagger-ui-bundle.js"></script>
<script src="/assets/docs.js"></script>
</body>
</html>
`;

/** Starts Swagger UI. `validatorUrl` off: otherwise the browser would send the document's address to a service on the Internet. */
export const DOCS_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  docExpansion: 'list',
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: null,
});
`;

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b5cad"/><path d="M9 7h10l4 4v14H9z" fill="#fff"/><path d="m12 18 3 3 6-7" fill="none" stroke="#14804a" stroke-width="2.6"/></svg>
`;
