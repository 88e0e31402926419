// Shows the document that this server has about itself. Nothing is asked of any other: by default Swagger UI would send the
// document's address to a validator. Tokens that are typed in are forgotten with the page.
SwaggerUIBundle({
  url: "doc.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  persistAuthorization: false,
  validatorUrl: null,
});
