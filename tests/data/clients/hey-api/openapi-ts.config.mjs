export default {
  input: "openapi.json",
  output: { path: "brain", module: { extension: ".js" } },
};
