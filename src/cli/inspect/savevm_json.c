/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The JSON output of inspect for a stream of QEMU. docs/inspect-json.md specifies it.
 */
#include "cli/inspect/savevm.h"

#include <string.h>

#include "base/util.h"
#include "vmm/config.h"

/* Most fields of a section that are listed, and most bytes of one: the object of a section is built
 * in memory. */
#define FIELDS_MAX 65536u
#define BYTES_MAX  4096u

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *text(const char *s)
{
	return gw_json_text(s, strlen(s));
}

static void stream(struct gw_inspect *inspect)
{
	const struct gw_savevm_stream *s = &inspect->savevm;
	const struct gw_savevm_configuration *c = &s->configuration;
	char uuid[37];
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o}", "offset",
			      number(s->offset), "version", number(s->version), "machine",
			      s->has_configuration ? text(c->machine) : json_null(), "capabilities",
			      text(c->capabilities), "uuid", json_null(), "page_size",
			      number(UINT64_C(1) << s->ram.page_bits), "footers",
			      s->footers == GW_SAVEVM_FOOTERS, "eof",
			      s->has_eof ? number(s->eof) : json_null());

	if (c->has_uuid) {
		gw_uuid_format(c->uuid, uuid);
		json_object_set_new(o, "uuid", json_string(uuid));
	}
	if (s->has_description)
		json_object_set_new(o, "description",
				    json_pack("{s:o, s:o, s:o}", "offset",
					      number(s->description_offset), "bytes",
					      number(s->description_size), "devices",
					      number(s->description.nr_devices)));
	else
		json_object_set_new(o, "description", json_null());
	gw_json_member(&inspect->writer, "qemu", o);
}

static void blocks(struct gw_inspect *inspect)
{
	const struct gw_savevm_ram *ram = &inspect->savevm.ram;

	gw_json_member(&inspect->writer, "memory",
		       json_pack("{s:o, s:o, s:o, s:o, s:o}", "bytes", number(ram->total), "pages",
				 number(ram->pages), "zero", number(ram->zeros), "deltas",
				 number(ram->deltas), "compressed", number(ram->compressed)));
	gw_json_list(&inspect->writer, "blocks");
	for (size_t i = 0; i < ram->nr_blocks; i++) {
		const struct gw_savevm_block *b = &ram->blocks[i];

		gw_json_element(
			&inspect->writer,
			json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
				  text(b->name), "bytes", number(b->length), "page_size",
				  b->page_size ? number(b->page_size) : json_null(), "address",
				  b->has_address ? gw_json_hex(b->address) : json_null(),
				  "mapped_at", b->is_mapped ? number(b->pages_offset) : json_null(),
				  "pages", number(b->pages), "zero", number(b->zeros), "deltas",
				  number(b->deltas), "compressed", number(b->compressed)));
	}
	gw_json_list_end(&inspect->writer);
}

struct field_list {
	json_t *list;
	uint64_t data; /* offset of the section's data */
	uint64_t left_out;
};

static json_t *hex_bytes(const struct gw_savevm_value *value)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = GW_MIN(value->size, (size_t)BYTES_MAX);
	char hex[2 * BYTES_MAX];

	for (size_t i = 0; i < n; i++) {
		hex[2 * i] = digits[value->data[i] >> 4];
		hex[2 * i + 1] = digits[value->data[i] & 15];
	}
	return json_stringn(hex, 2 * n);
}

static json_t *value_of(const struct gw_savevm_value *value)
{
	unsigned size = gw_savevm_number_size(value->type, value->size);
	bool is_signed;
	uint64_t n;

	if (!size)
		return hex_bytes(value);
	n = gw_savevm_number(value, &is_signed);
	if (!strcmp(value->type, "bool"))
		return json_boolean(n != 0);
	if (size < 8)
		return number(n);
	return gw_json_hex(n);
}

static bool add_field(void *opaque, const struct gw_savevm_value *value)
{
	struct field_list *fields = opaque;
	json_t *o;

	if (json_array_size(fields->list) >= FIELDS_MAX) {
		fields->left_out++;
		return true;
	}
	o = json_pack("{s:o, s:o, s:o}", "path", text(value->path), "offset",
		      number(fields->data + value->offset), "size", number(value->size));
	if (value->type) {
		json_object_set_new(o, "type", text(value->type));
		json_object_set_new(o, "value", value_of(value));
	} else {
		json_object_set_new(o, "type", json_string("subsection"));
		json_object_set_new(o, "version", number(value->version));
	}
	json_array_append_new(fields->list, o);
	return true;
}

static json_t *section(const struct gw_savevm_section *s, bool with_fields)
{
	struct field_list fields = {.data = s->data};
	struct gw_savevm_walk walk = {
		.of_another = s->found == GW_SAVEVM_BY_LIKE,
		.visit = add_field,
		.opaque = &fields,
	};
	json_t *o = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:b, s:b}", "name",
			      text(s->head.name), "instance", number(s->head.instance), "version",
			      number(s->head.version), "id", number(s->head.id), "offset",
			      number(s->offset), "data", number(s->data), "length",
			      number(s->length), "found_by", gw_inspect_savevm_found(s->found),
			      "footer", s->has_footer, "packaged", s->packaged);

	if (!with_fields)
		return o;
	if (!s->layout) {
		json_object_set_new(o, "fields", json_null());
		return o;
	}
	fields.list = json_array();
	gw_savevm_walk(&walk, s->layout, s->bytes, (size_t)s->length);
	json_object_set_new(o, "fields", fields.list);
	json_object_set_new(o, "fields_left_out", number(fields.left_out));
	return o;
}

void gw_inspect_savevm_sections_json(struct gw_inspect *inspect, const char *name)
{
	const struct gw_savevm_stream *s = &inspect->savevm;

	gw_json_list(&inspect->writer, name);
	for (size_t i = 0; i < s->nr_sections; i++) {
		const struct gw_savevm_section *one = &s->sections[i];

		if (!one->bytes)
			continue;
		if (!inspect->narrowed || gw_inspect_savevm_wants(inspect, one))
			gw_json_element(&inspect->writer, section(one, true));
	}
	gw_json_list_end(&inspect->writer);
}

static void libvirt(struct gw_inspect *inspect)
{
	const struct gw_libvirt_save *save = &inspect->libvirt;
	size_t xml_len, cookie_len;
	const char *xml = gw_libvirt_xml(save, &xml_len);
	const char *cookie = gw_libvirt_cookie(save, &cookie_len);

	gw_json_member(&inspect->writer, "libvirt",
		       json_pack("{s:o, s:o, s:b, s:b, s:o, s:s?, s:o, s:o}", "offset",
				 number(inspect->libvirt_offset), "version", number(save->version),
				 "complete", save->complete, "was_running", save->was_running != 0,
				 "format", number(save->format), "format_name",
				 gw_libvirt_format_name(save->format), "xml",
				 gw_json_text(xml, xml_len), "cookie",
				 cookie_len ? gw_json_text(cookie, cookie_len) : json_null()));
}

void gw_inspect_savevm_json(struct gw_inspect *inspect)
{
	const struct gw_examination *e = &inspect->examination;

	if (!inspect->narrowed && e->has_libvirt)
		libvirt(inspect);
	if (!inspect->narrowed)
		stream(inspect);
	if (!inspect->narrowed || inspect->memory)
		blocks(inspect);
	if (!inspect->narrowed || inspect->platform || inspect->one_vcpu)
		gw_inspect_savevm_sections_json(inspect, "sections");
	if (inspect->narrowed)
		return;
	gw_json_member(&inspect->writer, "bytes", number(e->bytes));
	gw_json_member(&inspect->writer, "errors", number(e->errors));
	gw_json_member(&inspect->writer, "warnings", number(e->warnings));
	gw_json_member(&inspect->writer, "notes", number(e->notes));
}
